// eviction of a pod: a delete that asks the PodDisruptionBudgets first.
import type { Pod } from '#generated/api/core-v1.ts';
import type { Eviction, PodDisruptionBudget } from '#generated/api/policy-v1.ts';
import type { KubeObject } from '#machinery/object.ts';
import { matcherOf, matchesLabels } from '#machinery/selectors.ts';
import { StatusError } from '#machinery/status.ts';
import { decodeObject } from '#schema/decode.ts';
import { schemaByName } from '#schema/load.ts';
import { bodyOf } from '../codec.ts';
import { negotiate } from '../negotiation.ts';
import { jsonValue } from '../responses.ts';
import { deleteOptions, writeOptions } from '../verbs/options.ts';
import { readEntry } from '../verbs/read.ts';
import type { Subresource } from './subresource.ts';

/** Disrupted pods remembered in one budget; upstream's MaxDisruptedPodSize. */
const MAX_DISRUPTED = 2_000;

export const eviction: Subresource = {
  name: 'eviction',
  resource: '/pods',
  verbs: ['create'],
  async serve(served, context, { writer, deleter, resources }) {
    const accepted = negotiate(context.request.headers.accept);
    const dryRun = writeOptions(context, 'CreateOptions').dryRun;
    const { object } = decodeObject<Eviction & KubeObject>(
      bodyOf(context),
      schemaByName('io.k8s.api.policy.v1.Eviction'),
      { kind: 'Eviction', version: 'v1' },
    );
    const { name, namespace } = context.info;
    if ((object.metadata?.name ?? name) !== name)
      throw StatusError.badRequest('name in URL does not match name in Eviction object');
    const options = deleteOptions(context, object.deleteOptions ?? {});
    const pod = (await readEntry(served, context)).object as Pod & KubeObject;
    const budgets = resources.find('policy', 'v1', 'poddisruptionbudgets');
    if (budgets?.cache !== undefined && !ignoresBudgets(pod)) {
      const { entries } = await budgets.cache.list({ selection: { namespace } });
      const matching = entries.filter((e) =>
        matchesLabels(matcherOf((e.object as PodDisruptionBudget).spec?.selector), pod.metadata.labels),
      );
      if (matching.length > 1)
        throw new StatusError(
          500,
          '',
          'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
        );
      const budget = matching[0];
      if (budget !== undefined && !healthyIsIrrelevant(pod, budget.object as PodDisruptionBudget)) {
        await writer.write({
          served: budgets,
          context,
          subresource: 'status',
          verb: 'update',
          mode: 'update',
          namespace,
          name: budget.name,
          options: {
            dryRun: dryRun || options.dryRun,
            fieldManager: 'eviction',
            fieldValidation: 'Ignore',
            force: undefined,
          },
          desired: (old) => disrupted(old as PodDisruptionBudget & KubeObject, name, context.nowText),
        });
      }
    }
    await deleter.deleteOne(
      served,
      context,
      namespace,
      name,
      { ...options, dryRun: dryRun || options.dryRun },
      'delete',
    );
    return jsonValue(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, accepted);
  },
};

/** Pods that are over, pending or already going may always be evicted. */
function ignoresBudgets(pod: Pod & KubeObject): boolean {
  const phase = pod.status?.phase;
  return (
    phase === 'Succeeded' ||
    phase === 'Failed' ||
    phase === 'Pending' ||
    phase === undefined ||
    pod.metadata.deletionTimestamp !== undefined
  );
}

function healthyIsIrrelevant(pod: Pod & KubeObject, budget: PodDisruptionBudget): boolean {
  const ready = pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;
  if (ready) return false;
  if (budget.spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {};
  return currentHealthy >= desiredHealthy && desiredHealthy > 0;
}

function disrupted(budget: PodDisruptionBudget & KubeObject, podName: string, now: string): KubeObject {
  const { status } = budget;
  const name = budget.metadata.name!;
  if ((status?.observedGeneration ?? 0) < (budget.metadata.generation ?? 0)) {
    throw tooMany(`The disruption budget ${name} is still being processed by the server.`, 10);
  }
  const allowed = status?.disruptionsAllowed ?? 0;
  if (Object.keys(status?.disruptedPods ?? {}).length > MAX_DISRUPTED) {
    throw StatusError.forbidden(
      { group: 'policy', resource: 'poddisruptionbudgets' },
      name,
      'DisruptedPods map too big - too many evictions not confirmed by PDB controller',
    );
  }
  if (allowed <= 0) {
    throw tooMany(
      `The disruption budget ${name} needs ${status?.desiredHealthy ?? 0} healthy pods and has ${status?.currentHealthy ?? 0} currently`,
      0,
    );
  }
  return {
    ...budget,
    status: { ...status, disruptionsAllowed: allowed - 1, disruptedPods: { ...status?.disruptedPods, [podName]: now } },
  } as KubeObject;
}

function tooMany(why: string, retryAfterSeconds: number): StatusError {
  return new StatusError(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
    causes: [{ reason: 'DisruptionBudget', message: why }],
    ...(retryAfterSeconds === 0 ? {} : { retryAfterSeconds }),
  });
}
