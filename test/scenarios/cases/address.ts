// An address that was a pod's.
import type { Pod } from '#generated/api/core-v1.ts';
import type { Scenario } from '../scenario.ts';
import { addressOf, clientDeployment, linePod, lineService, nodes, readLineFromEnv } from '../setups.ts';
import { psql, readLine, service, type World } from '../world.ts';
import { until } from '../../e2e/cluster.ts';

const works = /hello/;

/** Of a pod that has been. */
async function formerAddress(world: World, labels: Readonly<Record<string, string>> = {}): Promise<string> {
  const [name, port] = [world.word(), world.port()];
  await world.apply(linePod(name, port, { labels }));
  await world.ready(name);
  const ip = await addressOf(world, name);
  await world.kubectl(['delete', 'pod', name, '--now', '--wait=true']);
  return ip;
}

/** A pod on this node gets this address: the node's plugin hands out the next one after the last. */
async function withAddress(world: World, ip: string, node: string, make: (name: string) => object): Promise<string> {
  const before = ip.replace(/\d+$/, (last) => String(Number(last) - 1));
  return until(`a pod with the address ${ip}`, 60_000, async () => {
    const line = `f=$(find /run -name last_reserved_ip.0 | head -1); echo -n ${before} > "$f"`;
    await world.cluster.nodeShell(node, line);
    const name = world.word();
    await world.apply(make(name));
    await world.ready(name);
    if ((await addressOf(world, name)) === ip) return name;
    await world.kubectl(['delete', 'pod', name, '--now', '--wait=true']);
    return undefined;
  });
}

/** A PostgreSQL on a node, its address, and it is gone; a line server behind comes in its place. */
async function reused(world: World) {
  const [{ name: node }] = await nodes(world);
  const [first, svc] = [world.word(), world.ownWord()];
  await world.postgres(first, { labels: { db: svc }, node });
  await world.apply(service(svc, { db: svc }, [{ port: 5432 }]));
  await world.ready(first);
  const ip = await addressOf(world, first);
  await world.kubectl(['delete', 'pod', first, '--now', '--wait=true']);
  const port = world.port();
  const now = await withAddress(world, ip, node, (name) => linePod(name, port, { node }));
  const second = world.word();
  await world.postgres(second, { labels: { db: svc } });
  await world.ready(second);
  return { ip, svc, now };
}

export const ADDRESS_SCENARIOS: readonly Scenario[] = [
  {
    code: 'PodIPStale',
    title: 'typed in a pod, and the Service’s name is there',
    async make(world) {
      const ip = await formerAddress(world);
      const { svc, port } = await lineService(world);
      const client = await world.clientPod();
      return {
        why: [`tcp://${ip}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(ip, port), works },
        expected: { code: 'PodIPStale', kind: 'Service', name: svc },
        cureSays: new RegExp(`use .*${svc}\\.${world.namespace}`),
        afterCure: { on: client, command: readLine(`${svc}.${world.namespace}`, port), works },
      };
    },
  },
  {
    code: 'PodIPStale',
    title: 'in a Deployment’s environment',
    async make(world) {
      const ip = await formerAddress(world);
      const { port } = await lineService(world);
      const name = await clientDeployment(world, { env: { HOST: ip, PORT: String(port) } });
      return {
        why: [`tcp://${ip}:${port}`, '--from', `deploy/${name}`],
        client: { on: `deploy/${name}`, command: readLineFromEnv(), works },
        expected: {
          code: 'PodIPStale',
          kind: 'Deployment',
          name,
          field: 'spec.template.spec.containers[0].env[0].value',
        },
      };
    },
  },
  {
    code: 'PodIPStale',
    title: 'in an EndpointSlice written by hand',
    async make(world) {
      const ip = await formerAddress(world);
      const { server, port } = await lineService(world);
      const [svc, slice] = [`${server}-db`, world.word()];
      await world.apply(
        { apiVersion: 'v1', kind: 'Service', metadata: { name: svc }, spec: { ports: [{ port }] } },
        {
          apiVersion: 'discovery.k8s.io/v1',
          kind: 'EndpointSlice',
          metadata: { name: slice, labels: { 'kubernetes.io/service-name': svc } },
          addressType: 'IPv4',
          ports: [{ port }],
          endpoints: [{ addresses: [ip] }],
        },
      );
      const client = await world.clientPod();
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        expected: { code: 'PodIPStale', kind: 'EndpointSlice', name: slice, field: 'endpoints[0].addresses' },
      };
    },
  },
  {
    code: 'PodIPStale',
    title: 'in Endpoints written by hand, asked from a node',
    async make(world) {
      const ip = await formerAddress(world);
      const { server, port } = await lineService(world);
      const svc = `${server}-db`;
      const [{ name: node }] = await nodes(world);
      await world.apply(
        { apiVersion: 'v1', kind: 'Service', metadata: { name: svc }, spec: { ports: [{ port }] } },
        {
          apiVersion: 'v1',
          kind: 'Endpoints',
          metadata: { name: svc },
          subsets: [{ addresses: [{ ip }], ports: [{ port }] }],
        },
      );
      const at = (await world.kubectl(['get', 'service', svc, '-o', 'jsonpath={.spec.clusterIP}'])).trim();
      return {
        why: [`tcp://${at}:${port}`, '--from', `node/${node}`],
        client: { on: `node/${node}`, command: readLine(at, port), works },
        expected: { code: 'PodIPStale', kind: 'Endpoints', name: svc, field: 'subsets' },
      };
    },
  },
  {
    code: 'PodIPReused',
    title: 'typed in a pod',
    alone: true,
    async make(world) {
      const { ip, svc, now } = await reused(world);
      const client = await world.clientPod();
      return {
        why: [`postgres://shop@${ip}:5432/shop`, '--from', `pod/${client}`],
        client: { on: client, command: psql(ip) },
        symptom: /refused/i,
        expected: { code: 'PodIPReused', kind: 'Pod', name: now, field: 'status.podIP' },
        cureSays: new RegExp(`use .*${svc}\\.${world.namespace}`),
        afterCure: { on: client, command: psql(svc) },
      };
    },
  },
  {
    code: 'PodIPReused',
    title: 'in a Deployment’s environment',
    alone: true,
    async make(world) {
      const { ip, now } = await reused(world);
      const name = await clientDeployment(world, { env: { PGHOST: ip, PGUSER: 'shop', PGPASSWORD: 'shop' } });
      return {
        why: [`postgres://shop@${ip}/shop`, '--from', `deploy/${name}`],
        client: { on: `deploy/${name}`, command: ['env', 'PGCONNECT_TIMEOUT=3', 'psql', '-XAtqc', 'SELECT 1'] },
        symptom: /refused/i,
        expected: { code: 'PodIPReused', kind: 'Pod', name: now, field: 'status.podIP' },
      };
    },
  },
  {
    code: 'PodIPReused',
    title: 'the new pod has a server of another kind on that port',
    alone: true,
    async make(world) {
      const [{ name: node }] = await nodes(world);
      const { svc } = await reused(world);
      const old = await world.cluster.list<Pod>(world.namespace, 'pods', `db=${svc}`);
      const on = old[0]!.spec!.nodeName!;
      const ip = old[0]!.status!.podIP!;
      await world.kubectl(['delete', 'pod', old[0]!.metadata.name!, '--now', '--wait=true']);
      const now = await withAddress(world, ip, on, (name) => {
        const made = linePod(name, 5432, { node: on }) as { spec: { containers: { ports?: unknown }[] } };
        for (const container of made.spec.containers) delete container.ports;
        return made;
      });
      const next = world.word();
      await world.postgres(next, { labels: { db: svc }, node });
      await world.ready(next);
      const client = await world.clientPod();
      return {
        why: [`postgres://shop@${ip}:5432/shop`, '--from', `pod/${client}`],
        client: { on: client, command: psql(ip) },
        expected: { code: 'PodIPReused', kind: 'Pod', name: now, field: 'status.podIP' },
        cureSays: new RegExp(`use .*${svc}\\.${world.namespace}`),
        afterCure: { on: client, command: psql(svc) },
      };
    },
  },
];
