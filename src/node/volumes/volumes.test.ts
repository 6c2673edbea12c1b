// On real folders; mounts are remembered only, and the API's objects are in maps.
import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { ConfigMap, Pod, Secret, Volume } from '#generated/api/core-v1.ts';
import { SteppedClock } from '#base/clock.ts';
import { realFileSystem } from '#host/file-system.ts';
import { FakeMounts } from '#host/mounts.ts';
import { ensureHostPath } from './hostpath.ts';
import { Volumes } from './volumes.ts';

let root = '';
let mounts = new FakeMounts();
const clock = new SteppedClock();
const configMaps = new Map<string, ConfigMap>();
const secrets = new Map<string, Secret>();
const tokens: (readonly [string | undefined, number])[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'volumes-'));
  mounts = new FakeMounts();
  configMaps.clear();
  secrets.clear();
  tokens.length = 0;
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const makeVolumes = () =>
  new Volumes(
    {
      files: realFileSystem,
      mounts,
      clock,
      nodeName: 'n1',
      rootDir: root,
      volumesDir: join(root, 'disks'),
      facts: () => ({
        nodeName: 'n1',
        nodeIPs: ['192.0.2.1'],
        allocatableCpuMillis: 4000,
        allocatableMemoryBytes: 1024 ** 3,
        allocatableStorageBytes: 1024 ** 4,
      }),
      configMap: async (_uid, namespace, name) => configMaps.get(`${namespace}/${name}`),
      secret: async (_uid, namespace, name) => secrets.get(`${namespace}/${name}`),
      claim: async () => undefined,
      persistentVolume: async () => undefined,
      attachment: async () => undefined,
      token: async (_pod, audience, seconds) => {
        tokens.push([audience, seconds]);
        return 'the-token';
      },
    },
    async () => {},
  );

const podWith = (volumes: readonly Volume[], spec: Partial<Pod['spec'] & object> = {}): Pod =>
  ({
    metadata: { name: 'p', namespace: 'default', uid: 'u', labels: { b: '2', a: '1' } },
    spec: {
      containers: [{ name: 'c', resources: { limits: { cpu: '1500m', memory: '64Mi' } } }],
      volumes,
      ...spec,
    },
    status: { podIPs: [{ ip: '10.244.0.5' }] },
  }) as unknown as Pod;

async function pathOf(pod: Pod, volumes = makeVolumes()): Promise<string> {
  return [...(await volumes.setUp(pod)).values()][0]!.path;
}
const text = (path: string) => readFileSync(path, 'utf8');
const mode = (path: string) => statSync(path).mode & 0o777;

describe('configMap volume', () => {
  const map = (data: Record<string, string>, binaryData: Record<string, string> = {}) =>
    configMaps.set('default/m', { metadata: { name: 'm' }, data, binaryData } as unknown as ConfigMap);

  it('has a file a key, binary ones too, and changes all of them at once', async () => {
    map({ a: '1', b: '2' }, { c: Buffer.from([0, 255]).toString('base64') });
    const volumes = makeVolumes();
    const pod = podWith([{ name: 'v', configMap: { name: 'm' } }]);
    const path = await pathOf(pod, volumes);
    assert.deepEqual([text(`${path}/a`), text(`${path}/b`), mode(`${path}/a`)], ['1', '2', 0o644]);
    assert.deepEqual(readFileSync(`${path}/c`), Buffer.from([0, 255]));
    const first = readlinkSync(`${path}/..data`);
    await pathOf(pod, volumes);
    assert.equal(readlinkSync(`${path}/..data`), first, 'unchanged content is not written again');
    map({ a: 'new' });
    await clock.step(1000);
    await pathOf(pod, volumes);
    assert.notEqual(readlinkSync(`${path}/..data`), first);
    assert.equal(text(`${path}/a`), 'new');
    assert.equal(realFileSystem.stat(`${path}/b`), undefined);
  });

  it('gives chosen keys their paths and modes, and wants them to be there unless optional', async () => {
    map({ a: '1' });
    const items = [{ key: 'a', path: 'deep/er/a', mode: 0o400 }];
    const path = await pathOf(podWith([{ name: 'v', configMap: { name: 'm', items } }]));
    assert.deepEqual([text(`${path}/deep/er/a`), mode(`${path}/deep/er/a`)], ['1', 0o400]);
    const missing = (optional: boolean) =>
      pathOf(podWith([{ name: 'w', configMap: { name: 'm', optional, items: [{ key: 'x', path: 'x' }] } }]));
    await assert.rejects(missing(false), /configmap references non-existent config key: x/);
    await missing(true);
    await assert.rejects(
      pathOf(podWith([{ name: 'x', configMap: { name: 'none' } }])),
      /MountVolume\.SetUp failed for volume "x" : configmap "none" not found/,
    );
  });

  it('lets no path out of the volume', async () => {
    map({ a: '1' });
    await assert.rejects(
      pathOf(podWith([{ name: 'v', configMap: { name: 'm', items: [{ key: 'a', path: '../a' }] } }])),
      /must be relative/,
    );
  });
});

describe('secret volume', () => {
  it('has its files in memory, and they are gone with the pod', async () => {
    secrets.set('default/s', { data: { key: Buffer.from('value').toString('base64') } } as unknown as Secret);
    const volumes = makeVolumes();
    const path = await pathOf(podWith([{ name: 'v', secret: { secretName: 's', defaultMode: 0o440 } }]), volumes);
    assert.deepEqual([text(`${path}/key`), mode(`${path}/key`)], ['value', 0o440]);
    assert.ok(mounts.list().some((m) => m.type === 'tmpfs' && path.startsWith(`${m.target}/`)));
    await volumes.tearDown('u');
    assert.equal(realFileSystem.stat(path), undefined);
  });
});

describe('downward API volume', () => {
  it('shows fields of the pod and resources of its containers', async () => {
    const path = await pathOf(
      podWith([
        {
          name: 'v',
          downwardAPI: {
            items: [
              { path: 'name', fieldRef: { fieldPath: 'metadata.name' } },
              { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
              { path: 'a', fieldRef: { fieldPath: "metadata.labels['a']" } },
              { path: 'cpu', resourceFieldRef: { containerName: 'c', resource: 'limits.cpu' } },
              { path: 'mi', resourceFieldRef: { containerName: 'c', resource: 'limits.memory', divisor: '1Mi' } },
            ],
          },
        },
      ]),
    );
    const names = ['name', 'labels', 'a', 'cpu', 'mi'];
    assert.deepEqual(
      names.map((n) => text(`${path}/${n}`)),
      ['p', 'a="1"\nb="2"', '1', '2', '64'],
    );
  });
});

describe('projected volume', () => {
  it('joins ConfigMap, Secret, downward API and token in one folder', async () => {
    configMaps.set('default/m', { data: { 'ca.crt': 'ca' } } as unknown as ConfigMap);
    secrets.set('default/s', { data: { s: Buffer.from('secret').toString('base64') } } as unknown as Secret);
    const path = await pathOf(
      podWith(
        [
          {
            name: 'v',
            projected: {
              sources: [
                { configMap: { name: 'm' } },
                { secret: { name: 's' } },
                { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
                { serviceAccountToken: { path: 'token', audience: 'vault', expirationSeconds: 600 } },
              ],
            },
          },
        ],
        { securityContext: { runAsUser: process.getuid!() } },
      ),
    );
    assert.deepEqual(
      ['ca.crt', 's', 'namespace', 'token'].map((n) => text(`${path}/${n}`)),
      ['ca', 'secret', 'default', 'the-token'],
    );
    assert.deepEqual(tokens, [['vault', 600]]);
    assert.equal(mode(`${path}/token`), 0o600, 'of a pod that runs as one user');
  });
});

describe('emptyDir volume', () => {
  it('is a folder that everybody may write, and keeps what is in it until the pod goes', async () => {
    const volumes = makeVolumes();
    const pod = podWith([{ name: 'v', emptyDir: {} }]);
    const path = await pathOf(pod, volumes);
    assert.equal(mode(path), 0o777);
    writeFileSync(`${path}/kept`, '1');
    await pathOf(pod, volumes);
    assert.equal(text(`${path}/kept`), '1');
    await volumes.tearDown('u');
    assert.equal(realFileSystem.stat(path), undefined);
  });

  it('in memory is a tmpfs of the size of its limit, or of what the node has', async () => {
    const volumes = makeVolumes();
    const set = await volumes.setUp(
      podWith([
        { name: 'v', emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
        { name: 'w', emptyDir: { medium: 'Memory' } },
      ]),
    );
    const options = (name: string) => mounts.list().find((m) => m.target === set.get(name)!.path)?.options;
    assert.deepEqual([options('v'), options('w')], [`rw,size=${64 * 1024 ** 2}`, `rw,size=${1024 ** 3}`]);
    await volumes.tearDown('u');
    assert.ok(!mounts.list().some((m) => m.target === set.get('v')!.path));
  });
});

describe('hostPath volume', () => {
  it('is the path of the node, and stays when the pod goes', async () => {
    const host = join(root, 'host');
    mkdirSync(host);
    const volumes = makeVolumes();
    assert.equal(await pathOf(podWith([{ name: 'v', hostPath: { path: host, type: 'Directory' } }]), volumes), host);
    await volumes.tearDown('u');
    assert.ok(statSync(host).isDirectory());
  });

  it('has the type that is declared, or is made where the type says so', async () => {
    const at = (name: string) => join(root, name);
    mkdirSync(at('folder'));
    writeFileSync(at('file'), '');
    symlinkSync(at('file'), at('link'));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(at('socket'), resolve));
    const check = (type: string, path: string) => ensureHostPath(realFileSystem, path, type);
    check('Directory', at('folder'));
    check('File', at('file'));
    check('File', at('link'));
    check('Socket', at('socket'));
    check('CharDevice', '/dev/null');
    check('DirectoryOrCreate', at('made/folder'));
    assert.ok(statSync(at('made/folder')).isDirectory());
    check('FileOrCreate', at('made-file'));
    assert.deepEqual([statSync(at('made-file')).isFile(), mode(at('made-file'))], [true, 0o644]);
    for (const [type, name, words] of [
      ['Directory', 'file', 'is not a directory'],
      ['Directory', 'absent', 'is not a directory'],
      ['DirectoryOrCreate', 'file', 'is not a directory'],
      ['File', 'folder', 'is not a file'],
      ['Socket', 'file', 'is not a socket'],
      ['CharDevice', 'file', 'is not a character device'],
      ['BlockDevice', 'file', 'is not a block device'],
    ] as const)
      assert.throws(() => check(type, at(name)), { message: `hostPath type check failed: ${at(name)} ${words}` });
    server.close();
  });
});

describe('a volume of a kind that is not here', () => {
  it('is refused by name', async () => {
    await assert.rejects(
      pathOf(podWith([{ name: 'v', nfs: { server: 's', path: '/' } } as Volume])),
      /volume "v": kind nfs is not supported: use one of configMap, /,
    );
  });
});
