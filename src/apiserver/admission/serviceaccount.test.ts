import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import type { Pod, PodSpec, ServiceAccount } from '#generated/api/core-v1.ts';
import { StatusError } from '#machinery/status.ts';
import { fixedLookup } from '../authentication/lookup.ts';
import { ServiceAccountPlugin } from './serviceaccount.ts';
import { makeAttributes } from './testing.ts';

const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const accounts: ServiceAccount[] = [
  { metadata: { name: 'default', namespace: 'db' }, imagePullSecrets: [{ name: 'registry' }] },
  { metadata: { name: 'quiet', namespace: 'db' }, automountServiceAccountToken: false },
];
const pluginWith = (list = accounts, clock = new SteppedClock()) =>
  new ServiceAccountPlugin({ clock, random: new SeededRandom(1), serviceAccounts: fixedLookup(list) });
const podOf = (spec: Partial<PodSpec> = {}, annotations?: Record<string, string>): Pod => ({
  metadata: { name: 'web', namespace: 'db', ...(annotations === undefined ? {} : { annotations }) },
  spec: { containers: [{ name: 'c' }], ...spec },
});
const attributes = (pod: Pod) => makeAttributes({ resource: 'pods', object: pod });

describe('ServiceAccount', () => {
  it('gives a pod the account default, its token and its pull secrets', async () => {
    const { spec } = await pluginWith().admit(attributes(podOf({ initContainers: [{ name: 'i' }] })));
    assert.deepEqual([spec!.serviceAccountName, spec!.serviceAccount], ['default', 'default']);
    assert.deepEqual(spec!.imagePullSecrets, [{ name: 'registry' }]);
    const [volume] = spec!.volumes!;
    assert.match(volume!.name, /^kube-api-access-[a-z0-9]{5}$/);
    assert.deepEqual(volume!.projected, {
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
      defaultMode: 420,
    });
    const mount = { name: volume!.name, readOnly: true, mountPath: MOUNT_PATH };
    assert.deepEqual([spec!.containers[0]!.volumeMounts, spec!.initContainers![0]!.volumeMounts], [[mount], [mount]]);
  });

  const quiet = [
    { when: 'the account says no', spec: { serviceAccountName: 'quiet' }, mounts: 0 },
    { when: 'the pod says no', spec: { automountServiceAccountToken: false }, mounts: 0 },
    {
      when: 'the pod says yes and the account no',
      spec: { serviceAccountName: 'quiet', automountServiceAccountToken: true },
      mounts: 1,
    },
    {
      when: 'every container mounts something there itself',
      spec: {
        containers: [{ name: 'c', volumeMounts: [{ name: 'own', mountPath: MOUNT_PATH }] }],
        volumes: [{ name: 'own', emptyDir: {} }],
      },
      mounts: 0,
    },
  ];
  for (const { when, spec, mounts } of quiet) {
    it(`adds ${mounts} token volumes when ${when}`, async () => {
      const admitted = await pluginWith().admit(attributes(podOf(spec)));
      assert.equal(admitted.spec!.volumes?.filter((v) => v.name.startsWith('kube-api-access-')).length ?? 0, mounts);
    });
  }

  it('uses a token volume that is there, so that it may run twice', async () => {
    const once = await pluginWith().admit(attributes(podOf()));
    assert.deepEqual(await pluginWith().admit(attributes(once)), once);
  });

  it('keeps pull secrets that the pod names', async () => {
    const admitted = await pluginWith().admit(attributes(podOf({ imagePullSecrets: [{ name: 'mine' }] })));
    assert.deepEqual(admitted.spec!.imagePullSecrets, [{ name: 'mine' }]);
  });

  it('refuses an account that does not exist', async () => {
    await assert.rejects(pluginWith().admit(attributes(podOf({ serviceAccountName: 'nobody' }))), (e: StatusError) => {
      assert.equal(
        e.message,
        'pods "web" is forbidden: error looking up service account db/nobody: serviceaccount "nobody" not found',
      );
      return e.code === 403;
    });
  });

  it('waits for the account default of a new namespace', async () => {
    const clock = new SteppedClock();
    const late: ServiceAccount[] = [];
    const plugin = new ServiceAccountPlugin({
      clock,
      random: new SeededRandom(1),
      serviceAccounts: { cached: () => late[0], live: async () => late[0] },
    });
    const admitted = plugin.admit(attributes(podOf()));
    await clock.step(200);
    late.push(accounts[0]!);
    await clock.step(200);
    assert.equal((await admitted).spec!.serviceAccountName, 'default');
  });

  it('gives up when the account default never comes', async () => {
    const clock = new SteppedClock();
    const admitted = pluginWith([], clock).admit(attributes(podOf()));
    const refused = assert.rejects(admitted, /serviceaccount "default" not found/);
    await clock.step(5_000);
    await refused;
  });

  const mirror = { 'kubernetes.io/config.mirror': 'x' };
  const mirrors = [
    { what: 'a service account', spec: { serviceAccountName: 'default' }, text: /may not reference service accounts/ },
    {
      what: 'a Secret volume',
      spec: { volumes: [{ name: 'v', secret: { secretName: 's' } }] },
      text: /may not reference secrets/,
    },
    {
      what: 'a Secret in the environment',
      spec: { containers: [{ name: 'c', envFrom: [{ secretRef: { name: 's' } }] }] },
      text: /may not reference secrets/,
    },
    {
      what: 'a token',
      spec: { volumes: [{ name: 'v', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }] },
      text: /ServiceAccountToken/,
    },
  ];
  for (const { what, spec, text } of mirrors) {
    it(`refuses a mirror pod with ${what}`, async () => {
      await assert.rejects(pluginWith().validate(attributes(podOf(spec, mirror))), text);
    });
  }
  it('adds nothing to a mirror pod', async () => {
    const pod = podOf({}, mirror);
    assert.equal(await pluginWith([]).admit(attributes(pod)), pod);
    await pluginWith([]).validate(attributes(pod));
  });
});
