// Publishes the API server's certificate authority into every namespace as ConfigMap `kube-root-ca.crt`, which every pod's
// token volume projects. Upstream: pkg/controller/certificates/rootcacertpublisher.
import { configmaps, namespaces } from '#generated/resources.ts';
import { splitKey } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import { type ControllerDefinition, done, ownKey, watch } from './runtime/controller.ts';
import { isNamespaceTerminating } from './runtime/pod-control.ts';

const NAME = 'kube-root-ca.crt';
const DESCRIPTION = {
  'kubernetes.io/description':
    'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
};

export const rootCaCertPublisher: ControllerDefinition = {
  name: 'root-ca-certificate-publisher-controller',
  identity: 'root-ca-cert-publisher',
  build: ({ client, informers, options }) => {
    const own = informers.informer(namespaces);
    const maps = informers.informer(configmaps, { fieldSelector: `metadata.name=${NAME}` });
    const { rootCa } = options;
    return {
      // Keys are namespaces.
      watches: [
        watch(own, ownKey),
        watch(maps, ({ key }) => (splitKey(key).name === NAME ? [splitKey(key).namespace!] : [])),
      ],
      reconcile: async (namespace) => {
        const object = own.get(namespace);
        if (rootCa === undefined || object === undefined || object.metadata.deletionTimestamp !== undefined)
          return done;
        const data = { 'ca.crt': rootCa };
        const present = maps.get(`${namespace}/${NAME}`);
        const configMaps = client.resource(configmaps);
        try {
          if (present === undefined) {
            await configMaps.create({ metadata: { name: NAME, namespace, annotations: DESCRIPTION }, data });
          } else if (present.data?.['ca.crt'] !== rootCa || Object.keys(present.data).length !== 1) {
            await configMaps.update({
              ...present,
              metadata: { ...present.metadata, annotations: { ...present.metadata.annotations, ...DESCRIPTION } },
              data,
            });
          }
        } catch (error) {
          if (!isStatus(error, 'AlreadyExists') && !isNamespaceTerminating(error)) throw error;
        }
        return done;
      },
    };
  },
};
