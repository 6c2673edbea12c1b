// Binds through the pod's binding subresource.
import { pods } from '#generated/resources.ts';
import type { Client } from '#client/client.ts';
import type { Plugin } from '../framework.ts';

export function createDefaultBinder(client: Client): Plugin {
  const resource = client.resource(pods);
  return {
    name: 'DefaultBinder',
    bind: async ({ pod }, nodeName) => {
      const { namespace, name, uid } = pod.metadata;
      const binding = {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { namespace, name, uid },
        target: { kind: 'Node', name: nodeName },
      };
      await resource.createSubresource(namespace, name!, 'binding', binding);
      return true;
    },
  };
}
