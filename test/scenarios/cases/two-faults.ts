// Two faults that have nothing to do with each other, at once: the report names both.
import type { Scenario } from '../scenario.ts';
import { curl, nginx, postgres, rolledOut } from '../servers.ts';
import { psql, service, type World } from '../world.ts';

const closed = (spec: object = {}): object => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'closed' },
  spec: { podSelector: {}, policyTypes: ['Ingress'], ...spec },
});

interface Pieces {
  readonly server: string;
  readonly svc: string;
}

const two = (
  code: string,
  title: string,
  protocol: 'postgres' | 'http',
  make: (world: World, pieces: Pieces) => Promise<void>,
  expected: (pieces: Pieces) => Pick<Awaited<ReturnType<Scenario['make']>>, 'expected' | 'also' | 'incurable'>,
): Scenario => ({
  code,
  title: `and also: ${title}`,
  async make(world) {
    const pieces = { server: world.word(), svc: world.word() };
    await make(world, pieces);
    const client = await world.clientPod({ labels: { role: 'client' } });
    if (code !== 'ClaimMissing') await rolledOut(world, pieces.server);
    const { svc } = pieces;
    return {
      why: [
        protocol === 'postgres' ? `postgres://shop:shop@${svc}:5432/shop` : `http://${svc}/`,
        '--from',
        `pod/${client}`,
      ],
      client: protocol === 'postgres' ? { on: client, command: psql(svc) } : curl(client, `http://${svc}/`),
      // Only what swallows packets hides that nobody listens.
      ...(code === 'IngressDenied' ? { symptom: /timeout|timed out/ } : {}),
      ...expected(pieces),
    };
  },
});

export const TWO_FAULT_SCENARIOS: readonly Scenario[] = [
  two(
    'SelectorMatchesNothing',
    'a policy that lets nobody in',
    'http',
    async (world, { server, svc }) => {
      await nginx(world, server, 'listen 80;');
      await world.apply(
        service(svc, { app: `${server}s` }, [{ port: 80 }]),
        closed({ podSelector: { matchLabels: { app: server } } }),
      );
    },
    ({ svc }) => ({
      expected: { code: 'SelectorMatchesNothing', kind: 'Service', name: svc },
      also: { code: 'IngressDenied', kind: 'NetworkPolicy', name: 'closed' },
    }),
  ),
  two(
    'TargetPortMismatch',
    'a policy that lets nobody in',
    'http',
    async (world, { server, svc }) => {
      await nginx(world, server, 'listen 80;');
      await world.apply(
        service(svc, { app: server }, [{ port: 80, targetPort: 8080 }]),
        closed({ podSelector: { matchLabels: { app: server } } }),
      );
    },
    ({ svc }) => ({
      expected: { code: 'TargetPortMismatch', kind: 'Service', name: svc },
      also: { code: 'IngressDenied', kind: 'NetworkPolicy', name: 'closed' },
    }),
  ),
  two(
    'ListenerOnLoopback',
    'a policy that lets nothing out of the client but names',
    'postgres',
    async (world, { server, svc }) => {
      await postgres(world, server, { args: ['-c', 'listen_addresses=127.0.0.1'] });
      await world.apply(
        service(svc, { app: server }, [{ port: 5432 }]),
        closed({
          podSelector: { matchLabels: { role: 'client' } },
          policyTypes: ['Egress'],
          egress: [
            {
              ports: [
                { port: 53, protocol: 'UDP' },
                { port: 53, protocol: 'TCP' },
              ],
            },
          ],
        }),
      );
    },
    ({ server }) => ({
      expected: { code: 'EgressDenied', kind: 'NetworkPolicy', name: 'closed' },
      also: { code: 'ListenerOnLoopback', kind: 'Deployment', name: server },
    }),
  ),
  two(
    'IngressDenied',
    'PostgreSQL listens on loopback',
    'postgres',
    async (world, { server, svc }) => {
      await postgres(world, server, { args: ['-c', 'listen_addresses=localhost'] });
      await world.apply(
        service(svc, { app: server }, [{ port: 5432 }]),
        closed({ podSelector: { matchLabels: { app: server } } }),
      );
    },
    ({ server }) => ({
      expected: { code: 'IngressDenied', kind: 'NetworkPolicy', name: 'closed' },
      also: { code: 'ListenerOnLoopback', kind: 'Deployment', name: server },
    }),
  ),
  two(
    'ServicePortMissing',
    'a policy that lets nobody in',
    'http',
    async (world, { server, svc }) => {
      await nginx(world, server, 'listen 80;');
      await world.apply(
        service(svc, { app: server }, [{ port: 8000, targetPort: 80 }]),
        closed({ podSelector: { matchLabels: { app: server } } }),
      );
    },
    ({ svc }) => ({
      expected: { code: 'ServicePortMissing', kind: 'Service', name: svc },
      also: { code: 'IngressDenied', kind: 'NetworkPolicy', name: 'closed' },
      incurable: 'the client has to ask for the other port, or the Service to have one more',
    }),
  ),
  two(
    'ClaimMissing',
    'a slip in the Service’s selector',
    'postgres',
    async (world, { server, svc }) => {
      await postgres(world, server, {
        env: { PGDATA: '/var/lib/postgresql/data/pgdata' },
        spec: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: `${server}-data` } }] },
        container: { volumeMounts: [{ name: 'data', mountPath: '/var/lib/postgresql/data' }] },
      });
      await world.apply(service(svc, { app: `${server}z` }, [{ port: 5432 }]));
    },
    ({ server, svc }) => ({
      expected: { code: 'SelectorMatchesNothing', kind: 'Service', name: svc },
      also: { code: 'ClaimMissing', kind: 'Deployment', name: server },
    }),
  ),
];
