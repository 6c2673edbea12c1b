import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connectionsOf, listeningOf, parseProcNet, parseSs } from './sockets.ts';

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const TCP = `${HEAD}   0: 0100007F:1538 00000000:0000 0A 00000000:00000003 00:00000000 00000000    70        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0C01F40A:1538 0300F40A:D350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 20 5 30 17 -1
   2: 0C01F40A:D351 0300F40A:1538 06 00000000:00000000 00:00000000 00000000     0        0 0 3 0000000000000000
`;
const TCP6 = `${HEAD}   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4720 1 0000000000000000 100 0 0 10 0
   1: 0000000000000000FFFF00000C01F40A:1F90 0000000000000000FFFF00000300F40A:C001 01 00000000:00000000 00:00000000 00000000     0        0 4721 1 0000000000000000 20 4 30 10 -1
   2: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4722 1 0000000000000000 100 0 0 10 0
`;
const SS = `tcp LISTEN 0 244 127.0.0.1:5432 0.0.0.0:* uid:70 ino:4711 sk:1 cgroup:/ <->
tcp LISTEN 0 511 [::]:8080 [::]:* ino:4720 sk:2 cgroup:/ v6only:1 <->
`;

describe('parseProcNet', () => {
  it('reads addresses of both families, ports, states and inodes', () => {
    const [listen, connected] = parseProcNet('tcp', 4, TCP);
    assert.deepEqual(
      [listen!.address, listen!.port, listen!.state, listen!.inode, listen!.receiveQueue],
      ['127.0.0.1', 5432, 'LISTEN', '4711', 3],
    );
    assert.deepEqual([connected!.remoteAddress, connected!.remotePort], ['10.244.0.3', 54096]);
    assert.equal(parseProcNet('tcp', 6, TCP6)[2]!.address, '2001:db8::1');
  });

  it('takes an empty file for no sockets', () => assert.deepEqual(parseProcNet('udp', 6, ''), []));
});

describe('listeningOf', () => {
  const rows = [...parseProcNet('tcp', 4, TCP), ...parseProcNet('tcp', 6, TCP6)];

  it('names the program and what waits to be accepted', () => {
    const [first] = listeningOf(rows, new Map([['4711', 'postgres']]), parseSs(SS));
    assert.deepEqual(first, {
      protocol: 'tcp',
      family: 4,
      address: '127.0.0.1',
      dual: false,
      port: 5432,
      program: 'postgres',
      backlog: { waiting: 3, limit: 244 },
    });
  });

  it('takes an IPv6 wildcard for both families unless ss says otherwise', () => {
    const port8080 = (ss: string) => listeningOf(rows, new Map(), parseSs(ss)).find((l) => l.port === 8080);
    assert.equal(port8080('')!.dual, true);
    assert.equal(port8080(SS)!.dual, false);
  });

  it('takes no connection for a listener', () => assert.equal(listeningOf(rows, new Map(), new Map()).length, 3));
});

describe('connectionsOf', () => {
  it('shows IPv4 over a dual socket as IPv4, and leaves out what is over', () => {
    const rows = [...parseProcNet('tcp', 4, TCP), ...parseProcNet('tcp', 6, TCP6)];
    assert.deepEqual(connectionsOf(rows), [
      { local: '10.244.1.12:5432', remote: '10.244.0.3:54096', state: 'ESTABLISHED' },
      { local: '10.244.1.12:8080', remote: '10.244.0.3:49153', state: 'ESTABLISHED' },
    ]);
  });
});
