// The way from node to node.
import type { Node } from '#generated/api/core-v1.ts';
import type { Scenario } from '../scenario.ts';
import { clusterIP, lineService, nodes } from '../setups.ts';
import { psql, readLine, service, type World } from '../world.ts';

const works = /hello/;

/** The other node's pods, as this one knows them. */
async function rangeOf(world: World, node: string): Promise<string> {
  return (await world.cluster.get<Node>('default', 'node', node)).spec!.podCIDR!;
}

/** Runs a line on the node, and gives what puts its route back. */
async function onNode(world: World, node: string, line: string, range: string, address: string) {
  const output = await world.cluster.nodeShell(node, line);
  if (output.code !== 0) throw new Error(`on ${node}, ${line}: ${output.stderr}`);
  return async () => {
    await world.cluster.nodeShell(node, `ip route replace ${range} via ${address}`);
  };
}

export const ROUTE_SCENARIOS: readonly Scenario[] = [
  {
    code: 'RouteMissing',
    title: 'the client’s node has none to the server’s',
    alone: true,
    async make(world) {
      const [here, there] = await nodes(world);
      const { svc, port } = await lineService(world, { node: there.name });
      const client = await world.clientPod({ node: here.name });
      const range = await rangeOf(world, there.name);
      const restore = await onNode(world, here.name, `ip route del ${range}`, range, there.address);
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        expected: { code: 'RouteMissing', kind: 'Node', name: here.name, field: `route ${range}` },
        restore,
      };
    },
  },
  {
    code: 'RouteMissing',
    title: 'the server’s node has none back',
    alone: true,
    async make(world) {
      const [here, there] = await nodes(world);
      const server = world.word();
      await world.postgres(server, { labels: { app: server }, node: there.name });
      await world.apply(service(server, { app: server }, [{ port: 5432 }]));
      const client = await world.clientPod({ node: here.name });
      await world.ready(server);
      const range = await rangeOf(world, here.name);
      const restore = await onNode(world, there.name, `ip route del ${range}`, range, here.address);
      return {
        why: [`postgres://shop@${server}/shop`, '--from', `pod/${client}`],
        client: { on: client, command: psql(server) },
        expected: { code: 'RouteMissing', kind: 'Node', name: there.name, field: `route ${range}` },
        restore,
      };
    },
  },
  {
    code: 'RouteMissing',
    title: 'unreachable instead, asked from the node',
    alone: true,
    async make(world) {
      const [here, there] = await nodes(world);
      const { svc, port } = await lineService(world, { node: there.name });
      const range = await rangeOf(world, there.name);
      const line = `ip route del ${range} && ip route add unreachable ${range} metric 50`;
      const back = await onNode(world, here.name, line, range, there.address);
      const ip = await clusterIP(world, svc);
      return {
        why: [`tcp://${ip}:${port}`, '--from', `node/${here.name}`],
        client: { on: `node/${here.name}`, command: readLine(ip, port), works },
        expected: { code: 'RouteMissing', kind: 'Node', name: here.name, field: `route ${range}` },
        restore: async () => {
          await world.cluster.nodeShell(here.name, `ip route del unreachable ${range} metric 50`);
          await back();
        },
      };
    },
  },
];
