// A NetworkPolicy that does not let it through.
import type { Scenario } from '../scenario.ts';
import { clientDeployment, clusterIP, DNS_RULE, lineService, nodes, policy } from '../setups.ts';
import { psql, readLine, service, type World } from '../world.ts';

const works = /hello/;

/** What a policy is written from. */
interface Known {
  readonly world: World;
  readonly server: string;
  readonly svc: string;
  readonly port: number;
  readonly client: string;
}

const EGRESS: readonly (readonly [string, (k: Known) => object | Promise<object>])[] = [
  ['nothing but DNS is allowed', () => ({ egress: [DNS_RULE] })],
  [
    'the cluster IP is allowed, which no packet has after translation',
    async ({ world, svc, port }) => ({
      egress: [DNS_RULE, { to: [{ ipBlock: { cidr: `${await clusterIP(world, svc)}/32` } }], ports: [{ port }] }],
    }),
  ],
  [
    'the server’s pods are allowed, on the Service’s port',
    ({ server, port }) => ({
      egress: [DNS_RULE, { to: [{ podSelector: { matchLabels: { app: server } } }], ports: [{ port: port + 1 }] }],
    }),
  ],
  [
    'the right pods, in another namespace',
    ({ server }) => ({
      egress: [
        DNS_RULE,
        {
          to: [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } },
              podSelector: { matchLabels: { app: server } },
            },
          ],
        },
      ],
    }),
  ],
  [
    'everything but the range of pods',
    () => ({ egress: [DNS_RULE, { to: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.244.0.0/16'] } }] }] }),
  ],
];

const INGRESS: readonly (readonly [string, (k: Known) => object])[] = [
  ['default deny', () => ({ policyTypes: ['Ingress'] })],
  [
    'other pods are allowed',
    ({ world }) => ({ ingress: [{ from: [{ podSelector: { matchLabels: { role: world.word() } } }] }] }),
  ],
  [
    'the client is allowed, on the Service’s port instead of the pod’s',
    ({ port }) => ({
      ingress: [{ from: [{ podSelector: { matchLabels: { role: 'client' } } }], ports: [{ port: port + 1 }] }],
    }),
  ],
  [
    'the client is allowed, over UDP',
    ({ port }) => ({
      ingress: [{ from: [{ podSelector: { matchLabels: { role: 'client' } } }], ports: [{ port, protocol: 'UDP' }] }],
    }),
  ],
];

export const POLICY_SCENARIOS: readonly Scenario[] = [
  ...EGRESS.map(
    ([title, spec], index): Scenario => ({
      code: 'EgressDenied',
      title,
      async make(world) {
        // The Service's port is one more than the pod's.
        const { server, port } = await lineService(world);
        const svc = world.word();
        await world.apply(service(svc, { app: server }, [{ port: port + 1, targetPort: port }]));
        const isWorkload = index % 2 === 1;
        const client = isWorkload
          ? await clientDeployment(world, { labels: { role: 'client' } })
          : await world.clientPod({ labels: { role: 'client' } });
        const on = isWorkload ? `deploy/${client}` : client;
        const name = world.word();
        const written = await spec({ world, server, svc, port, client });
        const podSelector = { matchLabels: { role: 'client' } };
        await world.apply(policy(name, { podSelector, policyTypes: ['Egress'], ...written }));
        return {
          why: [`tcp://${svc}:${port + 1}`, '--from', isWorkload ? on : `pod/${client}`],
          client: { on, command: readLine(svc, port + 1), works },
          expected: { code: 'EgressDenied', kind: 'NetworkPolicy', name, field: /^spec\.egress/ },
        };
      },
    }),
  ),
  ...INGRESS.map(
    ([title, spec], index): Scenario => ({
      code: 'IngressDenied',
      title,
      async make(world) {
        const { server, port } = await lineService(world);
        const svc = world.word();
        await world.apply(service(svc, { app: server }, [{ port: port + 1, targetPort: port }]));
        const isWorkload = index % 2 === 0;
        const client = isWorkload
          ? await clientDeployment(world, { labels: { role: 'client' } })
          : await world.clientPod({ labels: { role: 'client' } });
        const on = isWorkload ? `deploy/${client}` : client;
        const name = world.word();
        const podSelector = { matchLabels: { app: server } };
        await world.apply(policy(name, { podSelector, ...spec({ world, server, svc, port, client }) }));
        return {
          why: [`tcp://${svc}:${port + 1}`, '--from', isWorkload ? on : `pod/${client}`],
          client: { on, command: readLine(svc, port + 1), works },
          expected: { code: 'IngressDenied', kind: 'NetworkPolicy', name, field: /^spec\.ingress/ },
        };
      },
    }),
  ),
  {
    code: 'IngressDenied',
    title: 'a podSelector without namespaceSelector, and a client in another namespace',
    async make(world) {
      const namespace = await world.otherNamespace();
      const [server, name] = [world.word(), world.word()];
      await world.postgres(server, { labels: { app: server }, namespace });
      await world.apply(
        { ...service(server, { app: server }, [{ port: 5432 }]), metadata: { name: server, namespace } },
        policy(name, { ingress: [{ from: [{ podSelector: { matchLabels: { role: 'client' } } }] }] }, namespace),
      );
      const client = await world.clientPod({ labels: { role: 'client' } });
      await world.ready(server, namespace);
      const host = `${server}.${namespace}`;
      return {
        why: [`postgres://shop@${host}:5432/shop`, '--from', `pod/${client}`],
        client: { on: client, command: psql(host) },
        expected: { code: 'IngressDenied', kind: 'NetworkPolicy', name, field: /^spec\.ingress/ },
      };
    },
  },
  {
    code: 'IngressDenied',
    title: 'a node port from the laptop, whose address the pod does not see',
    async make(world) {
      const [{ name: own }, { address }] = await nodes(world);
      const { svc, port } = await lineService(world, { node: own, service: { type: 'NodePort' } });
      const nodePort = Number(await world.kubectl(['get', 'svc', svc, '-o', 'jsonpath={.spec.ports[0].nodePort}']));
      const name = world.word();
      const machine = address.replace(/\d+$/, '1');
      await world.apply(
        policy(name, { ingress: [{ from: [{ ipBlock: { cidr: `${machine}/32` } }], ports: [{ port }] }] }),
      );
      return {
        why: [`tcp://${address}:${nodePort}`],
        client: { on: 'laptop', command: readLine(address, nodePort), works },
        expected: { code: 'IngressDenied', kind: 'NetworkPolicy', name, field: /^spec\.ingress/ },
      };
    },
  },
  {
    code: 'IngressDenied',
    title: 'another node than the pod’s',
    async make(world) {
      const [first, second] = await nodes(world);
      const { svc, port } = await lineService(world, { node: first.name });
      const name = world.word();
      await world.apply(policy(name, { policyTypes: ['Ingress'], ingress: [{ from: [{ podSelector: {} }] }] }));
      const ip = await clusterIP(world, svc);
      return {
        why: [`tcp://${ip}:${port}`, '--from', `node/${second.name}`],
        client: { on: `node/${second.name}`, command: readLine(ip, port), works },
        expected: { code: 'IngressDenied', kind: 'NetworkPolicy', name, field: /^spec\.ingress/ },
      };
    },
  },
  {
    code: 'EgressDenied',
    title: 'the server’s side denies as well',
    async make(world) {
      const { server, svc, port } = await lineService(world);
      const client = await world.clientPod({ labels: { role: 'client' } });
      const [out, into] = [world.word(), world.word()];
      await world.apply(
        policy(out, {
          podSelector: { matchLabels: { role: 'client' } },
          policyTypes: ['Egress'],
          egress: [DNS_RULE],
        }),
        policy(into, { podSelector: { matchLabels: { app: server } }, policyTypes: ['Ingress'] }),
      );
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        expected: { code: 'EgressDenied', kind: 'NetworkPolicy', name: out, field: /^spec\.egress/ },
        also: { code: 'IngressDenied', kind: 'NetworkPolicy', name: into, field: /^spec\.ingress/ },
      };
    },
  },
];
