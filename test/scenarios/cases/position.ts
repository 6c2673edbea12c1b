// A client at a place from which the address cannot be reached.
import type { Scenario } from '../scenario.ts';
import { addressOf, clusterIP, knock, linePod, lineService, nodes, policy, workload } from '../setups.ts';
import { pod, readLine, service } from '../world.ts';

const works = /hello/;

export const POSITION_SCENARIOS: readonly Scenario[] = [
  {
    code: 'PodIPFromOutside',
    title: 'the address of a bare pod, typed on the laptop',
    async make(world) {
      const [server, port] = [world.word(), world.port()];
      await world.lineServer(server, port);
      await world.ready(server);
      const ip = await addressOf(world, server);
      return {
        why: [`tcp://${ip}:${port}`],
        client: { on: 'laptop', command: readLine(ip, port), works },
        expected: { code: 'PodIPFromOutside', kind: 'Pod', name: server, field: 'status.podIP' },
        afterCure: { on: 'laptop', command: readLine('127.0.0.1', port), works },
      };
    },
  },
  {
    code: 'PodIPFromOutside',
    title: 'a pod by its name',
    async make(world) {
      const { server, port } = await lineService(world);
      const ip = await addressOf(world, server);
      return {
        why: [`pod/${server}:${port}`, '--from', 'laptop'],
        client: { on: 'laptop', command: readLine(ip, port), works },
        expected: { code: 'PodIPFromOutside', kind: 'Pod', name: server, field: 'status.podIP' },
        afterCure: { on: 'laptop', command: readLine('localhost', port), works },
      };
    },
  },
  {
    code: 'PodIPFromOutside',
    title: 'PostgreSQL of a StatefulSet, with a policy that a forward does not meet',
    async make(world) {
      const [server, port] = [world.word(), world.port()];
      const image = 'docker.io/library/postgres:15';
      const env = { POSTGRES_USER: 'shop', POSTGRES_PASSWORD: 'shop' };
      const container = { args: ['postgres', '-p', String(port)] };
      await world.apply(
        workload('StatefulSet', server, pod(server, image, { port, env, container, labels: { app: server } })),
        service(server, { app: server }, [{ port }], { clusterIP: 'None' }),
        policy('closed', { policyTypes: ['Ingress'] }),
      );
      const name = `${server}-0`;
      await world.kubectl(['rollout', 'status', `statefulset/${server}`, '--timeout=60s'], 70_000);
      const ip = await addressOf(world, name);
      const answer = /[NS]/;
      return {
        why: [`postgres://shop@${ip}:${port}/shop`],
        client: { on: 'laptop', command: knock(ip, port), works: answer },
        expected: { code: 'PodIPFromOutside', kind: 'Pod', name, field: 'status.podIP' },
        afterCure: { on: 'laptop', command: knock('127.0.0.1', port), works: answer },
      };
    },
  },
  {
    code: 'ClusterIPFromOutside',
    title: 'the cluster IP, typed on the laptop',
    async make(world) {
      const { svc, port } = await lineService(world);
      const ip = await clusterIP(world, svc);
      return {
        why: [`${ip}:${port}`],
        client: { on: 'laptop', command: readLine(ip, port), works },
        expected: { code: 'ClusterIPFromOutside', kind: 'Service', name: svc, field: 'spec.clusterIP' },
        afterCure: { on: 'laptop', command: readLine('127.0.0.1', port), works },
      };
    },
  },
  {
    code: 'ClusterIPFromOutside',
    title: 'a Service by its name, with default-deny ingress',
    async make(world) {
      const { svc, port } = await lineService(world);
      await world.apply(policy('default-deny', { policyTypes: ['Ingress', 'Egress'] }));
      const ip = await clusterIP(world, svc);
      return {
        why: [`svc/${svc}:${port}`],
        client: { on: 'laptop', command: readLine(ip, port), works },
        expected: { code: 'ClusterIPFromOutside', kind: 'Service', name: svc, field: 'spec.clusterIP' },
        afterCure: { on: 'laptop', command: readLine('127.0.0.1', port), works },
      };
    },
  },
  {
    code: 'ClusterIPFromOutside',
    title: 'the second of two ports, with a named targetPort, in another namespace',
    async make(world) {
      const namespace = await world.otherNamespace();
      const [server, svc, port, other] = [world.word(), world.word(), world.port(), world.port()];
      const labels = { app: server, part: 'db' };
      await world.apply(linePod(server, port, { labels, portName: 'lines', namespace }), {
        ...service(svc, labels, [
          { name: 'web', port: other, targetPort: 9 },
          { name: 'lines', port: port + 1, targetPort: 'lines' },
        ]),
        metadata: { name: svc, namespace },
      });
      await world.ready(server, namespace);
      const at = await world.cluster.kubectl(['-n', namespace, 'get', 'svc', svc, '-o', 'jsonpath={.spec.clusterIP}']);
      return {
        why: [`tcp://${at}:${port + 1}`],
        client: { on: 'laptop', command: readLine(at, port + 1), works },
        expected: { code: 'ClusterIPFromOutside', kind: 'Service', name: svc, field: 'spec.clusterIP' },
        afterCure: { on: 'laptop', command: readLine('127.0.0.1', port + 1), works },
      };
    },
  },
  ...[
    ['NAME.NAMESPACE.svc.cluster.local', (svc: string, ns: string) => `${svc}.${ns}.svc.cluster.local`],
    ['NAME.NAMESPACE', (svc: string, ns: string) => `${svc}.${ns}`],
    ['NAME alone', (svc: string) => svc],
  ].map(
    ([form, say]): Scenario => ({
      code: 'ClusterDNSNameFromOutside',
      title: `${form as string} on the laptop`,
      async make(world) {
        const { svc, port } = await lineService(world);
        const name = (say as (svc: string, ns: string) => string)(svc, world.namespace);
        return {
          why: [`tcp://${name}:${port}`],
          client: { on: 'laptop', command: readLine(name, port), works },
          symptom: /not known|resolution/,
          expected: { code: 'ClusterDNSNameFromOutside', kind: 'Service', name: svc },
          afterCure: { on: 'laptop', command: readLine('127.0.0.1', port), works },
        };
      },
    }),
  ),
  {
    code: 'ClusterDNSNameFromOutside',
    title: 'a Service’s name on a node, which asks the machine’s resolver',
    async make(world) {
      const { svc, port } = await lineService(world);
      const [{ name: node }] = await nodes(world);
      const ip = await clusterIP(world, svc);
      const host = `${svc}.${world.namespace}.svc.cluster.local`;
      return {
        why: [`tcp://${host}:${port}`, '--from', `node/${node}`],
        client: { on: `node/${node}`, command: readLine(host, port), works },
        symptom: /not known|resolution/,
        expected: { code: 'ClusterDNSNameFromOutside', kind: 'Service', name: svc },
        cureSays: new RegExp(ip.replaceAll('.', '\\.')),
        afterCure: { on: `node/${node}`, command: readLine(ip, port), works },
      };
    },
  },
];
