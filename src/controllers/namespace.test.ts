import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { configmaps, namespaces, pods, serviceaccounts } from '#generated/resources.ts';
import { namespaceController } from './namespace.ts';
import { rootCaCertPublisher } from './root-ca-cert-publisher.ts';
import { makePod } from './runtime/builders.ts';
import { TestCluster } from './runtime/testing.ts';
import { serviceAccountController } from './serviceaccount.ts';

const shop = { metadata: { name: 'shop' }, spec: { finalizers: ['kubernetes'] } };

describe('NamespaceReconciler', () => {
  it('deletes pods first, waits for them, then the rest, then the namespace', async () => {
    const cluster = new TestCluster();
    await cluster.put(namespaces, shop);
    await cluster.put(pods, makePod({ name: 'a', namespace: 'shop', node: 'node-1', ready: true }));
    await cluster.put(configmaps, { metadata: { name: 'c', namespace: 'shop' } });
    await cluster.run(namespaceController);
    await cluster.client.resource(namespaces).delete(undefined, 'shop');
    await cluster.settle();
    assert.equal(cluster.list(configmaps).length, 1);
    const { status } = cluster.get(namespaces, 'shop')!;
    assert.equal(status!.phase, 'Terminating');
    const remaining = status!.conditions!.find((c) => c.type === 'NamespaceContentRemaining')!;
    assert.equal(remaining.message, 'Some resources are remaining: pods. has 1 resource instances');
    cluster.remove(pods, 'shop/a');
    await cluster.clock.step(20_000);
    assert.equal(cluster.list(configmaps).length, 0);
    assert.equal(cluster.get(namespaces, 'shop'), undefined);
    await cluster.stop();
  });

  it('names the finalizers it waits for', async () => {
    const cluster = new TestCluster();
    await cluster.put(namespaces, shop);
    await cluster.put(configmaps, { metadata: { name: 'c', namespace: 'shop', finalizers: ['example.com/hold'] } });
    await cluster.run(namespaceController);
    await cluster.client.resource(namespaces).delete(undefined, 'shop');
    await cluster.settle();
    const condition = cluster
      .get(namespaces, 'shop')!
      .status!.conditions!.find((c) => c.type === 'NamespaceFinalizersRemaining')!;
    assert.equal(
      condition.message,
      'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
    );
    await cluster.stop();
  });
});

describe('what every namespace gets', () => {
  it('is the default ServiceAccount and the root certificate, and both come back', async () => {
    const cluster = new TestCluster();
    await cluster.run(serviceAccountController, rootCaCertPublisher);
    await cluster.put(namespaces, shop);
    await cluster.settle();
    assert.notEqual(cluster.get(serviceaccounts, 'shop/default'), undefined);
    assert.equal(cluster.get(configmaps, 'shop/kube-root-ca.crt')!.data!['ca.crt'], 'CA');
    cluster.remove(serviceaccounts, 'shop/default');
    cluster.edit(configmaps, 'shop/kube-root-ca.crt', (c) => ({ ...c, data: { 'ca.crt': 'forged' } }));
    await cluster.settle();
    assert.notEqual(cluster.get(serviceaccounts, 'shop/default'), undefined);
    assert.equal(cluster.get(configmaps, 'shop/kube-root-ca.crt')!.data!['ca.crt'], 'CA');
    await cluster.stop();
  });
});
