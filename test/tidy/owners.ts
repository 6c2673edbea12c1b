// Who may touch the outside world: builtin modules and packages, each with the folders or files of src/ that may import it, and why
// these. Everything else takes what it needs from its dependencies, so that the control plane runs in simulated time.

export interface Owner {
  /** A folder with a slash at its end, or one file; below src/. */
  readonly at: string;
  readonly why: string;
}

const assembly: readonly Owner[] = [
  { at: 'cli/', why: 'commands read and write what people name' },
  { at: 'cluster/', why: 'data directory, locks, kubeconfig: before and after any component lives' },
  { at: 'host/', why: 'the door to the operating system' },
  { at: 'install/', why: 'unpacks programs' },
  { at: 'imagebuild/', why: 'packs images' },
];

const listeners: readonly Owner[] = [
  { at: 'apiserver/listener.ts', why: 'the API server’s only socket' },
  { at: 'client/transports/', why: 'the only way out to an API server' },
  { at: 'node/server/', why: 'the kubelet’s own port' },
  { at: 'node/probes/', why: 'probes connect to pods' },
  { at: 'streams/', why: 'upgraded connections' },
  { at: 'tunnel/', why: 'the way into nodes' },
  { at: 'why/probe/sockets.ts', why: 'probes are real connections' },
  { at: 'connect/forwarder.ts', why: 'the local ports that lead into pods' },
  { at: 'cluster/', why: 'control socket, locks by socket, the probe for a free port, the DNS relay' },
];

/** node: modules that reach outside. One that is neither here nor in PURE fails. */
export const BUILTIN_OWNERS: Readonly<Record<string, readonly Owner[]>> = {
  'node:fs': assembly,
  'node:fs/promises': [{ at: 'host/', why: 'long reads of node and store go through FileSystem' }],
  'node:child_process': [
    { at: 'host/process.ts', why: 'the only door to other programs; everything else is handed a Run' },
  ],
  'node:net': [
    ...listeners,
    { at: 'network/dns/sockets.ts', why: 'DNS over TCP' },
    { at: 'network/ingress/haproxy.ts', why: 'the admin socket of the proxy' },
  ],
  'node:tls': listeners,
  'node:http': [...listeners, { at: 'network/loadbalancer/health-check-ports.ts', why: 'health checks of Services' }],
  'node:https': listeners,
  'node:http2': listeners,
  'node:dgram': [
    { at: 'network/dns/sockets.ts', why: 'DNS over UDP' },
    { at: 'why/probe/sockets.ts', why: 'probes of UDP, and their own questions to name servers' },
    { at: 'cluster/dns-relay.ts', why: 'names that are not the cluster’s go to the machine’s resolver' },
  ],
  'node:dns': [],
  'node:sqlite': [{ at: 'store/embedded/', why: 'the embedded store; it waits for a disk in its own thread' }],
  'node:v8': [
    { at: 'cluster/server-program.ts', why: 'how much memory the threads of the server may keep for what is young' },
  ],
  'node:worker_threads': [
    { at: 'store/embedded/', why: 'the store’s thread' },
    { at: 'cluster/', why: 'starts the control thread' },
  ],
  'node:ffi': [],
  'node:zlib': [
    { at: 'apiserver/listener.ts', why: 'compressed answers' },
    { at: 'streams/', why: 'SPDY headers' },
    { at: 'cluster/images.ts', why: 'image layers' },
    { at: 'cli/commands/support.ts', why: 'packs the archive' },
    { at: 'store/embedded/engine.ts', why: 'crc32 of rows, synchronous' },
    { at: 'imagebuild/', why: 'image layers' },
  ],
  'node:os': [
    { at: 'cluster/', why: 'the user’s home' },
    { at: 'host/', why: 'facts of the machine' },
    { at: 'cli/', why: 'facts of the machine for people' },
  ],
  'node:perf_hooks': [
    { at: 'apiserver/event-loop-metrics.ts', why: 'how late the event loop is: a metric, decides nothing' },
  ],
  'node:readline': [{ at: 'cli/', why: 'asks on a terminal' }],
  'node:readline/promises': [{ at: 'cli/', why: 'asks on a terminal' }],
  'node:crypto': [
    { at: 'pki/', why: 'keys, certificates, tokens' },
    { at: 'base/random.ts', why: 'the real Random' },
    { at: 'apiserver/authentication/', why: 'certificates of callers, comparison in constant time' },
    { at: 'apiserver/listener.ts', why: 'constants of TLS' },
    { at: 'cluster/images.ts', why: 'temporary names' },
  ],
};

/** Names of node:crypto that compute and nothing else: no randomness, no thread pool. Anybody may. */
export const PURE_CRYPTO: ReadonlySet<string> = new Set(['createHash', 'createHmac', 'timingSafeEqual', 'hash']);

/** Modules that only compute, or are plumbing between what others own. */
export const PURE: ReadonlySet<string> = new Set([
  'node:assert/strict',
  'node:buffer',
  'node:events',
  'node:path',
  'node:querystring',
  'node:stream',
  'node:stream/promises',
  'node:string_decoder',
  'node:url',
  'node:util',
]);

/** Packages: who may import them. A library that many import is a library that cannot be replaced. */
export const PACKAGE_OWNERS: Readonly<Record<string, readonly Owner[]>> = {
  '@grpc/grpc-js': [
    { at: 'node/cri/', why: 'CRI is gRPC' },
    { at: 'node/probes/', why: 'gRPC probes' },
  ],
  protobufjs: [{ at: 'node/cri/', why: 'reads the CRI descriptors' }],
  '@peculiar/x509': [{ at: 'pki/certificates.ts', why: 'only where certificates are made' }],
  'reflect-metadata': [{ at: 'pki/certificates.ts', why: '@peculiar/x509 wants it loaded first' }],
  commander: [{ at: 'cli/', why: 'the command line' }],
  'fast-json-patch': [{ at: 'merge/json-patch.ts', why: 'RFC 6902' }],
  fflate: [
    { at: 'install/kubectl.ts', why: 'unpacks kubectl' },
    { at: 'streams/spdy-headers.ts', why: 'SPDY headers, synchronous with a dictionary' },
  ],
  'js-yaml': [
    { at: 'apiserver/', why: 'YAML bodies and patches' },
    { at: 'client/kubeconfig.ts', why: 'kubeconfig files' },
    { at: 'cluster/', why: 'kubeconfig files' },
    { at: 'cli/', why: 'what people write' },
  ],
  re2js: [
    { at: 'schema/', why: 'patterns of schemas, in linear time' },
    { at: 'cel/', why: 'matches()' },
    { at: 'kinds/', why: 'rules of kinds' },
  ],
  'tar-stream': [
    { at: 'imagebuild/', why: 'layers and archives' },
    { at: 'cluster/images.ts', why: 'image archives' },
    { at: 'cli/commands/support.ts', why: 'the support archive' },
  ],
  ws: [
    { at: 'streams/', why: 'WebSocket' },
    { at: 'tunnel/', why: 'tunnels' },
    { at: 'apiserver/', why: 'exec, attach, port-forward, watch over WebSocket' },
    { at: 'client/transports/', why: 'the same from the other side' },
    { at: 'node/server/', why: 'the kubelet’s streams' },
  ],
};

export const owns = (owners: readonly Owner[], path: string): boolean =>
  owners.some(({ at }) => (at.endsWith('/') ? path.startsWith(`src/${at}`) : path === `src/${at}`));
