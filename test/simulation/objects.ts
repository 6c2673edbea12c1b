// What the scenarios make, and what they ask of it.
import type { Deployment } from '#generated/api/apps-v1.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { deployments, pods } from '#generated/resources.ts';
import { isConditionTrue } from '#machinery/conditions.ts';
import type { SimulatedCluster } from './cluster.ts';

export interface DeploymentShape {
  readonly namespace?: string;
  readonly replicas: number;
  readonly image?: string;
  readonly cpu?: string;
  readonly tolerations?: NonNullable<Pod['spec']>['tolerations'];
}

export function makeDeployment(name: string, shape: DeploymentShape): Deployment {
  const { namespace = 'default', replicas, image = 'web:1', cpu, tolerations } = shape;
  const labels = { app: name };
  const resources = cpu === undefined ? {} : { resources: { requests: { cpu } } };
  return {
    metadata: { name, namespace },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          containers: [{ name, image, ...resources }],
          ...(tolerations === undefined ? {} : { tolerations }),
        },
      },
    },
  };
}

/** Pods of `app` that are not on their way out. */
export async function livingPods(
  cluster: SimulatedCluster,
  app: string,
  namespace = 'default',
): Promise<readonly Pod[]> {
  const { items } = await cluster.client.resource(pods).list({ namespace, labelSelector: `app=${app}` });
  return items.filter((p) => p.metadata.deletionTimestamp === undefined);
}

export const isReady = (pod: Pod): boolean => isConditionTrue(pod.status?.conditions, 'Ready');

/** What `kubectl rollout status` waits for, and every pod of the old image gone. */
export async function isRolledOut(cluster: SimulatedCluster, name: string, namespace = 'default'): Promise<boolean> {
  const found = await cluster.client.resource(deployments).get(namespace, name);
  if (found?.status?.observedGeneration !== found?.metadata.generation) return false;
  const { replicas, template } = found!.spec!;
  const { status } = found!;
  const all = (await cluster.client.resource(pods).list({ namespace, labelSelector: `app=${name}` })).items;
  return (
    (status?.replicas ?? 0) === replicas &&
    (status?.updatedReplicas ?? 0) === replicas &&
    (status?.availableReplicas ?? 0) === replicas &&
    all.length === replicas &&
    all.every((p) => p.spec!.containers[0]!.image === template.spec!.containers[0]!.image && isReady(p))
  );
}

/** Nobody was refused for lack of rights. */
export function forbidden(cluster: SimulatedCluster): readonly string[] {
  return cluster.trace.filter((line) => / 403 /.test(line));
}
