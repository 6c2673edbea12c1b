// Where the nodes' agents connect to: an upgrade that turns the connection round, so that this server can reach into the node.
import { StatusError } from '#machinery/status.ts';
import { responseHead } from '#streams/http-upgrade.ts';
import { AGENT_USER_PREFIX, TUNNEL_PATH, TUNNEL_UPGRADE } from '#tunnel/protocol.ts';
import type { TunnelServer } from '#tunnel/tunnel-server.ts';
import type { UpgradeRoute } from '../dispatch.ts';

/** RBAC lets the group of agents in; here each is held to its own node. */
export function tunnelRoute(tunnels: TunnelServer): UpgradeRoute {
  return {
    path: TUNNEL_PATH,
    async upgrade(context, upgrade) {
      const node = context.info.query.get('node') ?? '';
      if (upgrade.headers['upgrade']?.toLowerCase() !== TUNNEL_UPGRADE)
        throw StatusError.badRequest(`this path is for "Upgrade: ${TUNNEL_UPGRADE}"`);
      if (node === '') throw StatusError.badRequest('query parameter "node" is required');
      if (context.user.name !== `${AGENT_USER_PREFIX}${node}`)
        throw StatusError.forbidden(
          { resource: 'nodes' },
          node,
          `User ${JSON.stringify(context.user.name)} may open the tunnel of its own node only`,
        );
      const head = responseHead(101, 'Switching Protocols', ['Connection', 'Upgrade', 'Upgrade', TUNNEL_UPGRADE]);
      // HTTP/2 takes over the handle below the socket, and ends the process when a write of before is still under way there.
      await new Promise<void>((resolve) => void upgrade.socket.write(head, () => resolve()));
      if (upgrade.socket.destroyed) return;
      await tunnels.serve(node, upgrade.socket);
    },
  };
}
