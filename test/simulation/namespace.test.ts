// A namespace goes with everything in it, and takes nothing else along.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import {
  configmaps,
  deployments,
  endpointslices,
  events,
  namespaces,
  persistentvolumeclaims,
  persistentvolumes,
  pods,
  replicasets,
  secrets,
  serviceaccounts,
  services,
} from '#generated/resources.ts';
import type { ResourceRef } from '#machinery/object.ts';
import { isReady, isRolledOut, makeDeployment } from './objects.ts';
import { simulated } from './traces.ts';

const EVERYTHING: readonly ResourceRef[] = [
  configmaps,
  deployments,
  endpointslices,
  events,
  persistentvolumeclaims,
  pods,
  replicasets,
  secrets,
  serviceaccounts,
  services,
];

describe('a namespace that is deleted', () => {
  simulated({}, async (cluster) => {
    const { client } = cluster;
    const make = async (namespace: string) => {
      await cluster.call(client.resource(namespaces).create({ metadata: { name: namespace } }));
      await cluster.until('the namespace has its account', async () => {
        return (await client.resource(serviceaccounts).get(namespace, 'default')) !== undefined;
      });
      const metadata = { name: 'web', namespace };
      const app = makeDeployment('web', { namespace, replicas: 3 });
      await cluster.call(client.resource(configmaps).create({ metadata, data: { a: 'b' } }));
      await cluster.call(client.resource(secrets).create({ metadata }));
      await cluster.call(
        client.resource(services).create({ metadata, spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } }),
      );
      await cluster.call(
        client.resource(persistentvolumeclaims).create({
          metadata,
          spec: {
            accessModes: ['ReadWriteOnce'],
            storageClassName: 'standard',
            resources: { requests: { storage: '1Gi' } },
          },
        }),
      );
      await cluster.call(
        client.resource(pods).create({
          metadata: { name: 'db', namespace },
          spec: {
            containers: [{ name: 'db', image: 'db:1', volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
            volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'web' } }],
          },
        }),
      );
      await cluster.call(client.resource(deployments).create(app));
    };
    const present = async (namespace: string) => {
      const found: string[] = [];
      for (const ref of EVERYTHING) {
        const { items } = await client.resource(ref).list({ namespace });
        found.push(...items.map((o) => `${ref.resource}/${o.metadata.name}`));
      }
      return found;
    };
    for (const namespace of ['shop', 'bank']) await make(namespace);
    for (const namespace of ['shop', 'bank'])
      await cluster.until(`${namespace} is available`, async () => {
        const db = await client.resource(pods).get(namespace, 'db');
        return db !== undefined && isReady(db) && (await isRolledOut(cluster, 'web', namespace));
      });
    const others = (await cluster.call(present('bank'))).filter((name) => !name.startsWith('events/'));

    await cluster.call(client.resource(namespaces).delete(undefined, 'shop'));
    await cluster.until('the namespace is gone', async () => {
      return (await client.resource(namespaces).get(undefined, 'shop')) === undefined;
    });
    assert.deepEqual(await cluster.call(present('shop')), []);
    await cluster.until('its volume is gone', async () => {
      const { items } = await client.resource(persistentvolumes).list();
      return items.length === 1 && items[0]!.spec?.claimRef?.namespace === 'bank';
    });
    assert.deepEqual(
      (await cluster.call(present('bank'))).filter((name) => !name.startsWith('events/')),
      others,
    );
    // Nothing but new content of a namespace on its way out was refused.
    const refused = cluster.trace.filter((t) => / 403 /.test(t));
    assert.deepEqual(
      refused.filter((t) => !/namespace shop because it is being terminated/.test(t)),
      [],
    );
  });
});
