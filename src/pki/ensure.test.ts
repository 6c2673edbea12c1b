import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readCertificate, isIssuedBy } from './certificates.ts';
import { createNodeClient, createNodeServer, ensurePki, RENEW_BEFORE_MS, type PkiFiles } from './ensure.ts';

const NOW = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;
const serverNames = {
  dnsNames: ['localhost', 'kubernetes.default.svc'],
  ipAddresses: ['127.0.0.1', '10.96.0.1', 'fd00::1'],
};

class MemoryFiles implements PkiFiles {
  /** Name → text and mode. */
  readonly files = new Map<string, { text: string; mode: number }>();
  async read(name: string): Promise<string | undefined> {
    return this.files.get(name)?.text;
  }
  async write(name: string, text: string, mode: number): Promise<void> {
    this.files.set(name, { text, mode });
  }
}

describe('ensurePki', () => {
  it('makes everything the first time, keys readable by the owner alone', async () => {
    const files = new MemoryFiles();
    const pki = await ensurePki(files, { nowMs: NOW, serverNames });
    assert.ok(pki.written.includes('ca.key'));
    for (const [name, { mode }] of files.files) assert.equal(mode, name.endsWith('.key') ? 0o600 : 0o644, name);
    const server = readCertificate(pki.server.certificate);
    assert.deepEqual([server.dnsNames, server.ipAddresses], [serverNames.dnsNames, serverNames.ipAddresses]);
    const admin = readCertificate(pki.admin.certificate);
    assert.deepEqual([admin.commonName, admin.organizations], ['kubernetes-admin', ['system:masters']]);
    assert.ok(isIssuedBy(pki.admin.certificate, pki.ca.certificate));
    assert.ok(!isIssuedBy(pki.admin.certificate, pki.frontProxyCa.certificate));
    assert.ok(isIssuedBy(pki.frontProxyClient.certificate, pki.frontProxyCa.certificate));
  });

  it('writes nothing the second time', async () => {
    const files = new MemoryFiles();
    const first = await ensurePki(files, { nowMs: NOW, serverNames });
    const second = await ensurePki(files, { nowMs: NOW + DAY_MS, serverNames });
    assert.deepEqual({ ...second, written: first.written }, first);
    assert.deepEqual(second.written, []);
  });

  const cases = [
    {
      when: 'the server got another address',
      names: { ...serverNames, ipAddresses: ['127.0.0.1'] },
      at: NOW,
      written: ['apiserver.key', 'apiserver.crt'],
    },
    {
      when: 'all leaves are near their end',
      names: serverNames,
      at: NOW + 365 * DAY_MS - RENEW_BEFORE_MS,
      written: [
        'apiserver',
        'apiserver-kubelet-client',
        'front-proxy-client',
        'admin',
        'controller-manager',
        'scheduler',
      ].flatMap((n) => [`${n}.key`, `${n}.crt`]),
    },
  ];
  for (const { when, names, at, written } of cases) {
    it(`renews when ${when}`, async () => {
      const files = new MemoryFiles();
      await ensurePki(files, { nowMs: NOW, serverNames });
      const pki = await ensurePki(files, { nowMs: at, serverNames: names });
      assert.deepEqual(pki.written.toSorted(), written.toSorted());
    });
  }

  it('keeps older service account keys that stand in sa.pub', async () => {
    const files = new MemoryFiles();
    const first = await ensurePki(files, { nowMs: NOW, serverNames });
    files.files.delete('sa.key');
    const second = await ensurePki(files, { nowMs: NOW, serverNames });
    assert.equal(second.serviceAccount.publicKeys.length, 2);
    assert.equal(second.serviceAccount.publicKeys[1], first.serviceAccount.publicKeys[0]);
  });

  it('refuses an authority whose key is gone rather than voiding every certificate', async () => {
    const files = new MemoryFiles();
    await ensurePki(files, { nowMs: NOW, serverNames });
    files.files.delete('ca.key');
    await assert.rejects(ensurePki(files, { nowMs: NOW, serverNames }), /ca\.key is missing/);
  });

  it('refuses an authority with a foreign key', async () => {
    const files = new MemoryFiles();
    await ensurePki(files, { nowMs: NOW, serverNames });
    files.files.set('ca.key', files.files.get('front-proxy-ca.key')!);
    await assert.rejects(ensurePki(files, { nowMs: NOW, serverNames }), /do not belong together/);
  });
});

describe('node certificates', () => {
  it('carry the node identity', async () => {
    const { ca } = await ensurePki(new MemoryFiles(), { nowMs: NOW, serverNames });
    const client = readCertificate((await createNodeClient(ca, 'node-1', NOW)).certificate);
    assert.deepEqual([client.commonName, client.organizations], ['system:node:node-1', ['system:nodes']]);
    const server = readCertificate(
      (await createNodeServer(ca, 'node-1', { dnsNames: ['node-1'], ipAddresses: ['172.30.0.2'] }, NOW)).certificate,
    );
    assert.deepEqual([server.dnsNames, server.ipAddresses], [['node-1'], ['172.30.0.2']]);
  });
});
