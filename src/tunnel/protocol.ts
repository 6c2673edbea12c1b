// The tunnel between a node's agent and an API server: an HTTP/1.1 request of the agent, upgraded, then HTTP/2 with the roles turned
// round. The API server is the HTTP/2 client; a CONNECT stream is one connection that the agent makes inside its node.

/** Where the API server takes tunnels: `?node=NAME`, for the agent of that node only. */
export const TUNNEL_PATH = '/coracle/v1/tunnel';
export const TUNNEL_UPGRADE = 'coracle-tunnel';
/** The agent's certificate has this and the node's name as its common name. */
export const AGENT_USER_PREFIX = 'coracle:node-agent:';
/** Instead of an address: the node itself. */
export const NODE_HOST = 'node';
/** Why a CONNECT failed, in words; the status says it to programs. */
export const REASON_HEADER = 'coracle-reason';

/** Bytes in flight of one stream, and of all streams of a tunnel. */
export const STREAM_WINDOW_BYTES = 1024 * 1024;
export const SESSION_WINDOW_BYTES = 16 * 1024 * 1024;
/** Megabytes a session may hold in buffers before it refuses new streams; Node's own limit is 10, less than ten busy streams. */
export const SESSION_MEMORY_MB = 256;
/** Connections through one tunnel at once. */
export const MAX_CONNECTIONS = 2_000;
/** A side that heard nothing asks; without an answer in time the tunnel is given up. */
export const PING_INTERVAL_MS = 15_000;
export const PING_TIMEOUT_MS = 10_000;
