// ephemeralcontainers of a pod: adds debug containers to a running pod; nothing else may change.
import type { EphemeralContainer, Pod } from '#generated/api/core-v1.ts';
import type { KubeObject } from '#machinery/object.ts';
import { fieldError, type FieldError } from '#machinery/status.ts';
import { negotiate } from '../negotiation.ts';
import { update } from '../verbs/create.ts';
import { equalJson, type Write } from '../verbs/write.ts';
import { patch } from '../verbs/patch.ts';
import { get } from '../verbs/read.ts';
import type { Subresource } from './subresource.ts';

const containersOf = (pod: KubeObject): readonly EphemeralContainer[] => (pod as Pod).spec?.ephemeralContainers ?? [];

export const ephemeralContainerRules: Pick<Write, 'prepare' | 'validate'> = {
  prepare: (object, old) =>
    ({
      ...old,
      metadata: { ...old.metadata, resourceVersion: object.metadata.resourceVersion },
      spec: { ...(old as Pod).spec, ephemeralContainers: containersOf(object) },
    }) as KubeObject,
  validate: (object, old) => validate(containersOf(object), containersOf(old)),
};

export const ephemeralContainers: Subresource = {
  name: 'ephemeralcontainers',
  resource: '/pods',
  verbs: ['get', 'update', 'patch'],
  serve(served, context, deps) {
    negotiate(context.request.headers.accept);
    switch (context.info.verb) {
      case 'update':
        return update(served, context, 'ephemeralcontainers', deps, ephemeralContainerRules);
      case 'patch':
        return patch(served, context, 'ephemeralcontainers', deps, ephemeralContainerRules);
      default:
        return get(served, context);
    }
  },
};

function validate(wanted: readonly EphemeralContainer[], old: readonly EphemeralContainer[]): FieldError[] {
  const path = 'spec.ephemeralContainers';
  const errors: FieldError[] = [];
  const byName = new Map(wanted.map((c) => [c.name, c]));
  for (const before of old) {
    const now = byName.get(before.name);
    if (now === undefined)
      errors.push(
        fieldError.forbidden(path, `existing ephemeral containers ${JSON.stringify(before.name)} may not be removed\n`),
      );
    else if (!equalJson(now, before))
      errors.push(
        fieldError.forbidden(path, `existing ephemeral containers ${JSON.stringify(before.name)} may not be changed\n`),
      );
  }
  for (const [index, container] of wanted.entries()) {
    if ((container.name ?? '') === '') errors.push(fieldError.required(`${path}[${index}].name`));
    if ((container.image ?? '') === '') errors.push(fieldError.required(`${path}[${index}].image`));
    for (const field of [
      'ports',
      'livenessProbe',
      'readinessProbe',
      'startupProbe',
      'lifecycle',
      'resources',
    ] as const) {
      const value = container[field];
      if (value !== undefined && !equalJson(value, {}))
        errors.push(fieldError.forbidden(`${path}[${index}].${field}`, 'cannot be set for an Ephemeral Container'));
    }
    if (wanted.findIndex((c) => c.name === container.name) !== index)
      errors.push(fieldError.duplicate(`${path}[${index}].name`, container.name));
  }
  return errors;
}
