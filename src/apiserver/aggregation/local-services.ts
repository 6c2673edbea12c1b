// The APIServices of what this server answers itself: made at the start for built-in groups and versions, kept for those of
// CustomResourceDefinitions, removed when nobody serves them any more. The built-in metrics API has none, so that whoever installs
// another one finds its name free.
import type { APIService } from '#generated/api/apiregistration-v1.ts';
import { apiservices, customresourcedefinitions } from '#generated/resources.ts';
import type { Client } from '#client/client.ts';
import { isStatus } from '#machinery/status.ts';
import type { ServedResources } from '../served.ts';
import { builtInPriority, CUSTOM, type Priority } from './priorities.ts';

const MANAGED = 'kube-aggregator.kubernetes.io/automanaged';

export function desiredServices(resources: ServedResources): ReadonlyMap<string, APIService> {
  const wanted = new Map<string, APIService>();
  for (const [group, versions] of resources.groups()) {
    if (group === 'apiregistration.k8s.io') continue;
    for (const [version, served] of versions) {
      if ([...served.values()].every((s) => s.source !== undefined)) continue;
      const builtIn = builtInPriority(group, version);
      const name = `${version}.${group}`;
      wanted.set(
        name,
        localService(name, group, version, builtIn ?? CUSTOM, builtIn === undefined ? 'true' : 'onstart'),
      );
    }
  }
  return wanted;
}

const localService = (
  name: string,
  group: string,
  version: string,
  priority: Priority,
  managed: string,
): APIService => ({
  metadata: { name, labels: { [MANAGED]: managed } },
  spec: {
    ...(group === '' ? {} : { group }),
    version,
    groupPriorityMinimum: priority.group,
    versionPriority: priority.version,
  },
});

const isManaged = ({ metadata }: APIService): boolean => ['true', 'onstart'].includes(metadata.labels?.[MANAGED] ?? '');

/** Idempotent. APIServices without the label are a user's: they stay as they are. */
export async function reconcileLocalServices(resources: ServedResources, client: Client): Promise<void> {
  const services = client.resource(apiservices);
  const wanted = desiredServices(resources);
  const present = new Map((await services.list()).items.map((s) => [s.metadata.name!, s]));
  const writes: Promise<unknown>[] = [];
  for (const [name, service] of wanted) {
    const found = present.get(name);
    if (found === undefined) writes.push(services.create(service));
    else if (isManaged(found) && !sameSpec(found, service))
      writes.push(services.update({ ...found, spec: service.spec! }));
  }
  const spurious = [...present.values()].filter((s) => isManaged(s) && !wanted.has(s.metadata.name!));
  if (spurious.length > 0) {
    // Kinds of definitions that are only not served yet.
    const definitions = (await client.resource(customresourcedefinitions).list()).items;
    const coming = new Set(
      definitions.flatMap(({ spec }) => spec.versions.filter((v) => v.served).map((v) => `${v.name}.${spec.group}`)),
    );
    for (const { metadata } of spurious)
      if (!coming.has(metadata.name!))
        writes.push(services.delete(undefined, metadata.name!, { preconditions: { uid: metadata.uid! } }));
  }
  // Another server on the same store was faster.
  for (const outcome of await Promise.allSettled(writes))
    if (
      outcome.status === 'rejected' &&
      !isStatus(outcome.reason, 'AlreadyExists') &&
      !isStatus(outcome.reason, 'Conflict')
    )
      throw outcome.reason;
}

const sameSpec = (a: APIService, b: APIService): boolean =>
  a.spec?.service === undefined &&
  (a.spec?.group ?? '') === (b.spec?.group ?? '') &&
  a.spec?.version === b.spec?.version &&
  a.spec?.groupPriorityMinimum === b.spec?.groupPriorityMinimum &&
  a.spec?.versionPriority === b.spec?.versionPriority;
