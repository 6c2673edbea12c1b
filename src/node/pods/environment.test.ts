import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ConfigMap, Pod, Secret, Service } from '#generated/api/core-v1.ts';
import type { AnyContainer } from './containers.ts';
import { makeEnvironment } from './environment.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const facts = {
  nodeName: 'n1',
  nodeIPs: ['192.0.2.1'],
  allocatableCpuMillis: 4000,
  allocatableMemoryBytes: 1024 ** 3,
  allocatableStorageBytes: 1024 ** 4,
};
const service = (namespace: string, name: string, clusterIP: string, port = 80): Service =>
  ({ metadata: { namespace, name }, spec: { clusterIP, ports: [{ name: 'web', port }] } }) as unknown as Service;

async function environment(container: Partial<AnyContainer>, spec: object = {}): Promise<Map<string, string>> {
  const pod = {
    metadata: { name: 'p', namespace: 'app', uid: 'u', annotations: { k: 'v' } },
    spec: { nodeName: 'n1', serviceAccountName: 'default', containers: [{ name: 'c', ...container }], ...spec },
  } as unknown as Pod;
  const pairs = await makeEnvironment(pod, pod.spec!.containers[0]!, ['10.244.0.5'], {
    configMap: async (_namespace, name) =>
      name === 'm' ? ({ data: { COLOR: 'red', SIZE: '1' } } as unknown as ConfigMap) : undefined,
    secret: async (_namespace, name) =>
      name === 's' ? ({ data: { PASSWORD: base64('hidden') } } as unknown as Secret) : undefined,
    services: () => [
      service('default', 'kubernetes', '10.96.0.1', 443),
      service('app', 'my-db', '10.96.0.2'),
      service('app', 'headless', 'None'),
      service('other', 'far', '10.96.0.3'),
    ],
    facts,
  });
  return new Map(pairs.map((p) => [p.key, p.value]));
}

describe('env', () => {
  it('from fields of the pod, and resources of the container', async () => {
    const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
    const env = await environment({
      env: [
        field('NAME', 'metadata.name'),
        field('NODE', 'spec.nodeName'),
        field('IP', 'status.podIP'),
        field('HOST', 'status.hostIP'),
        field('K', "metadata.annotations['k']"),
        { name: 'CPUS', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
        { name: 'MIB', valueFrom: { resourceFieldRef: { resource: 'requests.memory', divisor: '1Mi' } } },
      ],
      resources: { requests: { memory: '32Mi' } },
    });
    assert.deepEqual(
      ['NAME', 'NODE', 'IP', 'HOST', 'K', 'CPUS', 'MIB'].map((k) => env.get(k)),
      ['p', 'n1', '10.244.0.5', '192.0.2.1', 'v', '4', '32'],
    );
  });

  it('from ConfigMaps and Secrets, whole with a prefix or by key', async () => {
    const env = await environment({
      envFrom: [{ prefix: 'C_', configMapRef: { name: 'm' } }, { secretRef: { name: 's' } }],
      env: [
        { name: 'OWN', valueFrom: { configMapKeyRef: { name: 'm', key: 'COLOR' } } },
        { name: 'PW', valueFrom: { secretKeyRef: { name: 's', key: 'PASSWORD' } } },
        { name: 'MAYBE', valueFrom: { secretKeyRef: { name: 'none', key: 'x', optional: true } } },
      ],
    });
    assert.deepEqual(
      ['C_COLOR', 'C_SIZE', 'PASSWORD', 'OWN', 'PW', 'MAYBE'].map((k) => env.get(k)),
      ['red', '1', 'hidden', 'red', 'hidden', undefined],
    );
  });

  for (const [what, container, words] of [
    ['a ConfigMap', { envFrom: [{ configMapRef: { name: 'none' } }] }, 'configmap "none" not found'],
    ['a Secret', { envFrom: [{ secretRef: { name: 'none' } }] }, 'secret "none" not found'],
    [
      'a key',
      { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'm', key: 'x' } } }] },
      "couldn't find key x in ConfigMap app/m",
    ],
  ] as const)
    it(`says which of ${what} is missing`, () =>
      assert.rejects(environment(container as Partial<AnyContainer>), {
        code: 'CreateContainerConfigError',
        message: words,
      }));

  it('$(VAR) stands for variables above it and of services, $$ for a dollar', async () => {
    const env = await environment({
      env: [
        { name: 'A', value: '1' },
        { name: 'B', value: '$(A)-$(MY_DB_SERVICE_HOST)-$(NONE)-$$(A)' },
      ],
    });
    assert.equal(env.get('B'), '1-10.96.0.2-$(NONE)-$(A)');
  });

  it('has the variables of services of its own namespace and of the API server', async () => {
    const env = await environment({ env: [{ name: 'MY_DB_SERVICE_PORT', value: 'own' }] });
    assert.equal(env.get('MY_DB_SERVICE_HOST'), '10.96.0.2');
    assert.equal(env.get('MY_DB_SERVICE_PORT'), 'own');
    assert.equal(env.get('MY_DB_SERVICE_PORT_WEB'), '80');
    assert.equal(env.get('MY_DB_PORT'), 'tcp://10.96.0.2:80');
    assert.equal(env.get('MY_DB_PORT_80_TCP_ADDR'), '10.96.0.2');
    assert.equal(env.get('KUBERNETES_SERVICE_PORT'), '443');
    assert.ok(![...env.keys()].some((k) => k.startsWith('FAR_') || k.startsWith('HEADLESS_')));
    const without = await environment({}, { enableServiceLinks: false });
    assert.deepEqual(
      [...without.keys()].filter((k) => !k.startsWith('KUBERNETES_')),
      [],
    );
    assert.equal(without.get('KUBERNETES_SERVICE_HOST'), '10.96.0.1');
  });
});
