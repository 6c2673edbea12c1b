import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { silentLog } from '#base/log.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { TestApi } from '#client/testing.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import type { Node, PersistentVolumeClaim, Pod } from '#generated/api/core-v1.ts';
import type { Ingress } from '#generated/api/networking-v1.ts';
import type { PriorityClass } from '#generated/api/scheduling-v1.ts';
import type { StorageClass } from '#generated/api/storage-v1.ts';
import type { KubeObject } from '#machinery/object.ts';
import { createAuthority, createSigningRequest } from '#pki/certificates.ts';
import { generateKey } from '#pki/keys.ts';
import { fixedLookup } from '../authentication/lookup.ts';
import { createAuthorizer } from '../authorization/authorizer.ts';
import { rbacSourceFrom } from '../authorization/rbac-source.ts';
import type { Authorizer } from '../pipeline.ts';
import { CertificateApproval } from './certificateapproval.ts';
import { CertificateSigning } from './certificatesigning.ts';
import { CertificateSubjectRestriction } from './certificatesubjectrestriction.ts';
import { DefaultIngressClass } from './defaultingressclass.ts';
import { DefaultStorageClass } from './defaultstorageclass.ts';
import { DefaultTolerationSeconds } from './defaulttolerationseconds.ts';
import { PersistentVolumeClaimResize } from './persistentvolumeclaimresize.ts';
import { admissionPlugins } from './plugins.ts';
import { Priority } from './priority.ts';
import { RuntimeClassPlugin } from './runtimeclass.ts';
import { StorageObjectInUseProtection } from './storageobjectinuseprotection.ts';
import { TaintNodesByCondition } from './taintnodesbycondition.ts';
import { makeAttributes } from './testing.ts';

const podOf = (spec: object = {}): Pod => ({
  metadata: { name: 'web', namespace: 'db' },
  spec: { containers: [], ...spec },
});
const podAttributes = (pod: Pod, oldObject?: Pod) =>
  makeAttributes({
    resource: 'pods',
    object: pod,
    oldObject,
    operation: oldObject === undefined ? 'CREATE' : 'UPDATE',
  });

describe('admissionPlugins', () => {
  it('stand in upstream order, each once', () => {
    const clock = new SteppedClock();
    const api = new TestApi();
    const client = createClient({
      transport: createInProcessTransport(api.exchange, { name: 'x', groups: [] }),
      clock,
      userAgent: 'test',
    });
    const random = new SeededRandom(1);
    const informers = createInformers({ client, clock, random, log: silentLog });
    const plugins = admissionPlugins({
      clock,
      random,
      informers,
      client,
      ...createAuthorizer({ rbac: rbacSourceFrom({}) }),
    });
    assert.deepEqual(
      plugins.map((p) => p.name),
      [
        'NamespaceLifecycle',
        'LimitRanger',
        'ServiceAccount',
        'NodeRestriction',
        'TaintNodesByCondition',
        'Priority',
        'DefaultTolerationSeconds',
        'DefaultStorageClass',
        'StorageObjectInUseProtection',
        'PersistentVolumeClaimResize',
        'RuntimeClass',
        'CertificateApproval',
        'CertificateSigning',
        'CertificateSubjectRestriction',
        'DefaultIngressClass',
        'RBACEscalation',
      ],
    );
  });
});

describe('DefaultTolerationSeconds', () => {
  const added = (key: string) => ({
    key: `node.kubernetes.io/${key}`,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 300,
  });
  const own = { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 };
  const cases = [
    { when: 'the pod says nothing', present: undefined, result: [added('not-ready'), added('unreachable')] },
    { when: 'the pod has its word on one', present: [own], result: [own, added('unreachable')] },
    { when: 'the pod tolerates everything', present: [{ operator: 'Exists' }], result: [{ operator: 'Exists' }] },
    {
      when: 'the pod tolerates the key for another effect',
      present: [{ ...own, effect: 'NoSchedule' }],
      result: [{ ...own, effect: 'NoSchedule' }, added('not-ready'), added('unreachable')],
    },
  ];
  for (const { when, present, result } of cases) {
    it(`leaves ${result.length} tolerations when ${when}`, () => {
      assert.deepEqual(
        new DefaultTolerationSeconds().admit(
          podAttributes(podOf(present === undefined ? {} : { tolerations: present })),
        ).spec!.tolerations,
        result,
      );
    });
  }
});

describe('DefaultStorageClass', () => {
  const mark = { 'storageclass.kubernetes.io/is-default-class': 'true' };
  const classOf = (name: string, created: string, annotations?: Record<string, string>): StorageClass => ({
    metadata: { name, creationTimestamp: created, ...(annotations === undefined ? {} : { annotations }) },
    provisioner: 'p',
  });
  const storageClasses = {
    list: () => [
      classOf('old', '2026-01-01T00:00:00Z', mark),
      classOf('new', '2026-01-02T00:00:00Z', mark),
      classOf('plain', '2026-01-03T00:00:00Z'),
    ],
  };
  const claimOf = (spec: object, annotations?: Record<string, string>): PersistentVolumeClaim => ({
    metadata: { name: 'c', namespace: 'db', ...(annotations === undefined ? {} : { annotations }) },
    spec,
  });
  const admit = (claim: PersistentVolumeClaim, classes = storageClasses) =>
    new DefaultStorageClass({ storageClasses: classes }).admit(
      makeAttributes({ resource: 'persistentvolumeclaims', object: claim }),
    ).spec!.storageClassName;
  it('gives the newest default class', () => assert.equal(admit(claimOf({})), 'new'));
  it('keeps a class that is named, the empty one too', () => {
    assert.equal(admit(claimOf({ storageClassName: '' })), '');
    assert.equal(admit(claimOf({ storageClassName: 'plain' })), 'plain');
    assert.equal(admit(claimOf({}, { 'volume.beta.kubernetes.io/storage-class': 'x' })), undefined);
  });
  it('gives none when there is no default', () => assert.equal(admit(claimOf({}), { list: () => [] }), undefined));
});

describe('DefaultIngressClass', () => {
  const ingressClasses = {
    list: () => [
      { metadata: { name: 'nginx', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } } },
    ],
  };
  const admit = (ingress: Ingress) =>
    new DefaultIngressClass({ ingressClasses }).admit(
      makeAttributes({ group: 'networking.k8s.io', resource: 'ingresses', object: ingress }),
    ).spec?.ingressClassName;
  it('gives the default class to who names none', () => {
    assert.equal(admit({ metadata: { name: 'i' }, spec: {} }), 'nginx');
    assert.equal(admit({ metadata: { name: 'i' }, spec: { ingressClassName: 'own' } }), 'own');
    assert.equal(
      admit({ metadata: { name: 'i', annotations: { 'kubernetes.io/ingress.class': 'old' } }, spec: {} }),
      undefined,
    );
  });
});

describe('StorageObjectInUseProtection', () => {
  for (const [group, resource, finalizer] of [
    ['', 'persistentvolumeclaims', 'kubernetes.io/pvc-protection'],
    ['', 'persistentvolumes', 'kubernetes.io/pv-protection'],
    ['storage.k8s.io', 'volumeattributesclasses', 'kubernetes.io/vac-protection'],
  ] as const) {
    it(`adds ${finalizer} once`, () => {
      const plugin = new StorageObjectInUseProtection();
      assert.ok(plugin.handles('CREATE', group, resource, ''));
      const once = plugin.admit(
        makeAttributes({ group, resource, object: { metadata: { name: 'x', finalizers: ['own'] } } }),
      );
      assert.deepEqual(once.metadata.finalizers, ['own', finalizer]);
      assert.equal(plugin.admit(makeAttributes({ group, resource, object: once })), once);
    });
  }
});

describe('Priority', () => {
  const high: PriorityClass = { metadata: { name: 'high' }, value: 1000, preemptionPolicy: 'Never' };
  const standard: PriorityClass = { metadata: { name: 'standard' }, value: 10, globalDefault: true };
  const pluginWith = (...classes: PriorityClass[]) =>
    new Priority({ priorityClasses: { ...fixedLookup(classes), list: () => classes } });
  const priorityOf = async (plugin: Priority, pod: Pod, old?: Pod) => {
    const { spec } = (await plugin.admit(podAttributes(pod, old))) as Pod;
    return [spec!.priorityClassName, spec!.priority, spec!.preemptionPolicy];
  };
  it('computes the number from the class', async () =>
    assert.deepEqual(await priorityOf(pluginWith(high), podOf({ priorityClassName: 'high' })), [
      'high',
      1000,
      'Never',
    ]));
  it('takes the default class', async () =>
    assert.deepEqual(await priorityOf(pluginWith(high, standard), podOf()), ['standard', 10, 'PreemptLowerPriority']));
  it('is zero without any class', async () =>
    assert.deepEqual(await priorityOf(pluginWith(), podOf()), [undefined, 0, 'PreemptLowerPriority']));
  it('keeps on update what the client left out', async () => {
    assert.deepEqual(
      await priorityOf(
        pluginWith(),
        podOf({ priorityClassName: 'high' }),
        podOf({ priorityClassName: 'high', priority: 1000, preemptionPolicy: 'Never' }),
      ),
      ['high', 1000, 'Never'],
    );
  });
  it('refuses a class that is not there', async () => {
    await assert.rejects(
      async () => priorityOf(pluginWith(), podOf({ priorityClassName: 'gone' })),
      /pods "web" is forbidden: no PriorityClass with name gone was found/,
    );
  });
  it('refuses a number that its maker wrote', async () => {
    await assert.rejects(
      async () => priorityOf(pluginWith(high), podOf({ priorityClassName: 'high', priority: 5 })),
      /the integer value of priority \(5\) must not be provided in pod spec/,
    );
  });
  it('refuses a second default class', () => {
    const made = { ...standard, metadata: { name: 'second' } };
    assert.throws(
      () =>
        pluginWith(standard).validate(
          makeAttributes({ group: 'scheduling.k8s.io', resource: 'priorityclasses', object: made }),
        ),
      /PriorityClass standard is already marked as default/,
    );
    pluginWith(standard).validate(
      makeAttributes({ group: 'scheduling.k8s.io', resource: 'priorityclasses', object: standard }),
    );
  });
});

describe('TaintNodesByCondition', () => {
  it('taints a new node once', () => {
    const admit = (node: Node) =>
      new TaintNodesByCondition().admit(makeAttributes({ resource: 'nodes', object: node }));
    const once = admit({ metadata: { name: 'n' }, spec: { taints: [{ key: 'own', effect: 'NoExecute' }] } });
    assert.deepEqual(once.spec!.taints, [
      { key: 'own', effect: 'NoExecute' },
      { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' },
    ]);
    assert.equal(admit(once), once);
  });
});

describe('RuntimeClass', () => {
  const plugin = new RuntimeClassPlugin({
    runtimeClasses: fixedLookup([
      {
        metadata: { name: 'vm' },
        handler: 'vm',
        overhead: { podFixed: { cpu: '250m' } },
        scheduling: { nodeSelector: { vm: 'yes' }, tolerations: [{ key: 'vm', operator: 'Exists' }] },
      },
    ]),
  });
  it('gives overhead and scheduling of the class', async () => {
    const { spec } = await plugin.admit(podAttributes(podOf({ runtimeClassName: 'vm', nodeSelector: { a: 'b' } })));
    assert.deepEqual(
      [spec!.overhead, spec!.nodeSelector, spec!.tolerations],
      [{ cpu: '250m' }, { a: 'b', vm: 'yes' }, [{ key: 'vm', operator: 'Exists' }]],
    );
    await plugin.validate(podAttributes({ metadata: {}, spec: spec! }));
  });
  for (const [when, spec, text] of [
    ['the class is not there', { runtimeClassName: 'gone' }, /RuntimeClass "gone" not found/],
    [
      'the selectors contradict',
      { runtimeClassName: 'vm', nodeSelector: { vm: 'no' } },
      /conflict: runtimeClass.scheduling.nodeSelector\[vm\] = yes; pod.spec.nodeSelector\[vm\] = no/,
    ],
    [
      'the overhead differs',
      { runtimeClassName: 'vm', overhead: { cpu: '1' } },
      /doesn't match RuntimeClass's defined Overhead/,
    ],
  ] as const) {
    it(`refuses when ${when}`, async () => assert.rejects(async () => plugin.admit(podAttributes(podOf(spec))), text));
  }
  it('refuses overhead without a class', async () =>
    assert.rejects(
      plugin.validate(podAttributes(podOf({ overhead: { cpu: '1' } }))),
      /Pod Overhead set without corresponding RuntimeClass/,
    ));
});

describe('PersistentVolumeClaimResize', () => {
  const plugin = new PersistentVolumeClaimResize({
    storageClasses: fixedLookup([
      { metadata: { name: 'grows' }, provisioner: 'p', allowVolumeExpansion: true },
      { metadata: { name: 'fixed' }, provisioner: 'p' },
    ]),
  });
  const claim = (storage: string, storageClassName: string): PersistentVolumeClaim => ({
    metadata: { name: 'c', namespace: 'db' },
    spec: { storageClassName, resources: { requests: { storage } } },
  });
  const resize = async (from: string, to: string, name: string) =>
    plugin.validate(
      makeAttributes({
        operation: 'UPDATE',
        resource: 'persistentvolumeclaims',
        object: claim(to, name),
        oldObject: claim(from, name),
      }),
    );
  it('lets a claim grow whose class allows it', () => resize('1Gi', '2Gi', 'grows'));
  it('looks at growth only', async () => {
    await resize('1Gi', '1024Mi', 'fixed');
    await resize('2Gi', '1Gi', 'fixed');
  });
  it('refuses the others', async () =>
    assert.rejects(resize('1Gi', '2Gi', 'fixed'), /only dynamically provisioned pvc can be resized/));
});

describe('certificate plugins', () => {
  const allows = (name: string): Authorizer => ({
    authorize: (a) => ({
      decision: a.resource === 'signers' && `${a.verb} ${a.name}` === name ? 'allow' : 'no-opinion',
      reason: '',
    }),
  });
  const csr = (status: object = {}, spec: object = {}): KubeObject =>
    ({
      metadata: { name: 'csr' },
      spec: { signerName: 'example.com/web', request: '', ...spec },
      status,
    }) as KubeObject;
  const attributes = (object: KubeObject, oldObject?: KubeObject) =>
    makeAttributes({
      operation: oldObject === undefined ? 'CREATE' : 'UPDATE',
      group: 'certificates.k8s.io',
      resource: 'certificatesigningrequests',
      object,
      oldObject,
    });

  for (const name of ['approve example.com/web', 'approve example.com/*']) {
    it(`CertificateApproval lets through who may ${name}`, () =>
      new CertificateApproval({ authorizer: allows(name) }).validate(attributes(csr(), csr())));
  }
  it('CertificateApproval refuses the others, whatever signer the body names', async () => {
    const plugin = new CertificateApproval({ authorizer: allows('approve other.com/web') });
    await assert.rejects(
      plugin.validate(attributes(csr({}, { signerName: 'other.com/web' }), csr())),
      /user not permitted to approve requests with signerName "example.com\/web"/,
    );
  });
  it('CertificateSigning asks only when the certificate changes', async () => {
    const plugin = new CertificateSigning({ authorizer: allows('nothing') });
    await plugin.validate(attributes(csr({ certificate: 'a' }), csr({ certificate: 'a' })));
    await assert.rejects(
      plugin.validate(attributes(csr({ certificate: 'b' }), csr({ certificate: 'a' }))),
      /not permitted to sign/,
    );
    await new CertificateSigning({ authorizer: allows('sign example.com/web') }).validate(
      attributes(csr({ certificate: 'b' }), csr()),
    );
  });
  it('CertificateSubjectRestriction keeps system:masters out of client certificates', async () => {
    const plugin = new CertificateSubjectRestriction();
    const request = async (organization: string) =>
      Buffer.from(
        await createSigningRequest(generateKey(), { commonName: 'x', organizations: [organization] }),
      ).toString('base64');
    const signerName = 'kubernetes.io/kube-apiserver-client';
    await plugin.validate(attributes(csr({}, { signerName, request: await request('dev') })));
    await plugin.validate(
      attributes(csr({}, { signerName: 'example.com/web', request: await request('system:masters') })),
    );
    await assert.rejects(
      plugin.validate(attributes(csr({}, { signerName, request: await request('system:masters') }))),
      /with system:masters group is not allowed/,
    );
    const notARequest = Buffer.from((await createAuthority('x', 0)).certificate).toString('base64');
    await assert.rejects(
      plugin.validate(attributes(csr({}, { signerName, request: notARequest }))),
      /failed to parse CSR/,
    );
  });
});
