import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { locate, takers } from './locate.ts';
import { fromLaptop, makeClient, makeFacts, makePod, makeService, sliceOf } from './testing.ts';

const at = (target: string, more = {}) => {
  const { via, service, backends, node } = locate(makeFacts({ target, ...more }));
  const [backend] = backends;
  return `${via} ${service?.metadata.name ?? '-'} ${backend === undefined ? '-' : `${backend.ip}:${backend.port} ${backend.endpoint}`}${node === undefined ? '' : ` by ${node}`}`;
};
const exposed = {
  services: [
    {
      ...makeService({
        type: 'LoadBalancer',
        ports: [{ port: 80, targetPort: 'pg', nodePort: 30_432, protocol: 'TCP' }],
      }),
      status: { loadBalancer: { ingress: [{ ip: '192.168.10.201' }] } },
    },
  ],
};

describe('locate', () => {
  const rows: readonly (readonly [string, string, object, string])[] = [
    ['a name', 'tcp://postgres.db:5432', {}, 'cluster-ip postgres 10.244.2.7:5432 ready'],
    ['a cluster IP', 'tcp://10.96.42.7:5432', {}, 'cluster-ip postgres 10.244.2.7:5432 ready'],
    ['a pod’s address', 'tcp://10.244.2.7:9000', {}, 'pod-ip postgres 10.244.2.7:9000 ready'],
    ['nobody’s address', 'tcp://10.244.2.99:5432', {}, 'nothing - -'],
    ['an address elsewhere', 'tcp://203.0.113.5:5432', {}, 'outside - -'],
    ['itself', 'tcp://localhost:5432', {}, 'localhost - 10.244.1.5:5432 ready'],
    ['a load balancer', 'tcp://192.168.10.201:80', exposed, 'load-balancer postgres 10.244.2.7:5432 ready'],
    ['a node port', 'tcp://192.168.10.11:30432', exposed, 'node-port postgres 10.244.2.7:5432 ready by node-1'],
    ['a node’s own port', 'tcp://192.168.10.11:22', exposed, 'node - - by node-1'],
    [
      'a headless Service, whose port is not translated',
      'tcp://postgres.db:80',
      { services: [makeService({ clusterIP: 'None', ports: [{ port: 80, targetPort: 5432 }] })] },
      'headless postgres 10.244.2.7:80 ready',
    ],
    ['the laptop’s own port, without a forward', 'tcp://localhost:15432', { source: fromLaptop }, 'forward - -'],
  ];
  for (const [what, target, more, wanted] of rows) it(`follows ${what}`, () => assert.equal(at(target, more), wanted));
});

describe('takers', () => {
  const service = makeService({ ports: [{ port: 5432, targetPort: 'pg', protocol: 'TCP' }] });
  const takenOf = (pods: ReturnType<typeof makePod>[], node?: string) => {
    const facts = makeFacts({ pods: [makeClient(), ...pods], services: [service] });
    return takers(locate(facts), node).map((b) => b.pod?.metadata.name);
  };
  const ready = makePod();
  const leaving = makePod({ name: 'leaving', ip: '10.244.1.8', node: 'node-1', deleted: '2026-05-20T12:00:10Z' });

  it('are the ready ones', () => assert.deepEqual(takenOf([ready, leaving]), ['postgres-0']));
  it('are those that still serve where none is ready', () => assert.deepEqual(takenOf([leaving]), ['leaving']));
  it('are of one node under a policy Local, those that still serve among them', () =>
    assert.deepEqual(takenOf([ready, leaving], 'node-1'), ['leaving']));
  it('are not those whose port has another name', () =>
    assert.deepEqual(takenOf([makePod({ container: { ports: [{ containerPort: 5432, name: 'db' }] } })]), []));
  it('are none of a headless Service that only leave: its name gives the ready ones', () => {
    const headless = makeService({ clusterIP: 'None' });
    const facts = makeFacts({
      pods: [makeClient(), leaving],
      services: [headless],
      slices: [sliceOf(headless, [leaving])],
    });
    assert.deepEqual(takers(locate(facts)), []);
  });
});
