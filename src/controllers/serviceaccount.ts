// Gives every namespace its `default` ServiceAccount. Upstream: pkg/controller/serviceaccount/serviceaccounts_controller.go.
import { namespaces, serviceaccounts } from '#generated/resources.ts';
import { splitKey } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import { type ControllerDefinition, done, ownKey, watch } from './runtime/controller.ts';
import { isNamespaceTerminating } from './runtime/pod-control.ts';

const NAME = 'default';

export const serviceAccountController: ControllerDefinition = {
  name: 'serviceaccount-controller',
  identity: 'service-account-controller',
  build: ({ client, informers }) => {
    const own = informers.informer(namespaces);
    const accounts = informers.informer(serviceaccounts);
    return {
      // Keys are namespaces.
      watches: [
        watch(own, ownKey),
        watch(accounts, ({ key, object }) =>
          object === undefined && splitKey(key).name === NAME ? [splitKey(key).namespace!] : [],
        ),
      ],
      reconcile: async (namespace) => {
        const object = own.get(namespace);
        if (
          object === undefined ||
          object.metadata.deletionTimestamp !== undefined ||
          accounts.get(`${namespace}/${NAME}`) !== undefined
        )
          return done;
        try {
          await client.resource(serviceaccounts).create({ metadata: { name: NAME, namespace } });
        } catch (error) {
          if (!isStatus(error, 'AlreadyExists') && !isNamespaceTerminating(error)) throw error;
        }
        return done;
      },
    };
  },
};
