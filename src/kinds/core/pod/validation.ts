// Rules for pods as a whole: on create, on update (few fields may change), on status.
import type { Container, Pod, PodSpec, Toleration } from '#generated/api/core-v1.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import { type Errors, sameJson } from '../../rules.ts';
import { validatePodSpec } from './validate-spec.ts';

export function validatePod(pod: Pod): readonly FieldError[] {
  const errors: Errors = [];
  if (pod.spec === undefined) return [fieldError.required('spec')];
  validatePodSpec(pod.spec, 'spec', errors);
  if ((pod.spec.ephemeralContainers ?? []).length > 0)
    errors.push(fieldError.forbidden('spec.ephemeralContainers', 'cannot be set on create'));
  return errors;
}

const FEW_FIELDS =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,' +
  '`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

export function validatePodUpdate(pod: Pod, old: Pod): readonly FieldError[] {
  const errors: Errors = [];
  const spec = pod.spec;
  const before = old.spec;
  if (spec === undefined || before === undefined) return [fieldError.required('spec')];
  for (const list of ['containers', 'initContainers'] as const) {
    if ((spec[list]?.length ?? 0) !== (before[list]?.length ?? 0)) {
      return [fieldError.forbidden(`spec.${list}`, `pod updates may not add or remove containers`)];
    }
    for (const [index, container] of (spec[list] ?? []).entries()) {
      if ((container.image ?? '') === '') errors.push(fieldError.required(`spec.${list}[${index}].image`));
    }
  }
  validateDeadline(spec, before, errors);
  if (!sameJson(spec.tolerations, before.tolerations)) onlyAdded(spec.tolerations, before.tolerations, errors);
  validateGates(spec, before, errors);

  // What may change is put back; all else must be equal.
  const restored = withMutable(spec, before);
  if (!sameJson(restored, before)) {
    errors.push(fieldError.forbidden('spec', `${FEW_FIELDS}\n${difference(restored, before)}`));
  }
  return errors;
}

function validateDeadline(spec: PodSpec, before: PodSpec, errors: Errors): void {
  const seconds = spec.activeDeadlineSeconds;
  if (seconds === undefined) {
    if (before.activeDeadlineSeconds !== undefined)
      errors.push(
        fieldError.invalid('spec.activeDeadlineSeconds', null, 'must not update from a positive integer to nil value'),
      );
    return;
  }
  if (seconds < 0)
    errors.push(fieldError.invalid('spec.activeDeadlineSeconds', seconds, 'must be greater than or equal to 0'));
  if (before.activeDeadlineSeconds !== undefined && before.activeDeadlineSeconds < seconds) {
    errors.push(
      fieldError.invalid('spec.activeDeadlineSeconds', seconds, 'must be less than or equal to previous value'),
    );
  }
}

function onlyAdded(
  now: readonly Toleration[] | undefined,
  before: readonly Toleration[] | undefined,
  errors: Errors,
): void {
  const same = (a: Toleration, b: Toleration): boolean =>
    sameJson({ ...a, tolerationSeconds: undefined }, { ...b, tolerationSeconds: undefined });
  const kept = (before ?? []).every((old) => (now ?? []).some((t) => same(t, old)));
  if (!kept)
    errors.push(
      fieldError.forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds'),
    );
}

function validateGates(spec: PodSpec, before: PodSpec, errors: Errors): void {
  const allowed = new Set((before.schedulingGates ?? []).map((g) => g.name));
  for (const [index, gate] of (spec.schedulingGates ?? []).entries()) {
    if (!allowed.has(gate.name))
      errors.push(
        fieldError.forbidden(
          `spec.schedulingGates[${index}].name`,
          "only deletion is allowed, but found new scheduling gate '" + gate.name + "'",
        ),
      );
  }
}

function withMutable(spec: PodSpec, before: PodSpec): PodSpec {
  const images = (now: readonly Container[] | undefined, old: readonly Container[] | undefined) =>
    now?.map((c, i) => ({ ...c, image: old?.[i]?.image }) as Container);
  const gated = (before.schedulingGates ?? []).length > 0;
  const restored: Record<string, unknown> = { ...spec };
  const put = (key: keyof PodSpec, value: unknown): void => {
    if (value === undefined) delete restored[key];
    else restored[key] = value;
  };
  put('containers', images(spec.containers, before.containers));
  put('initContainers', images(spec.initContainers, before.initContainers));
  put('activeDeadlineSeconds', before.activeDeadlineSeconds);
  put('tolerations', before.tolerations);
  put('schedulingGates', before.schedulingGates);
  if (
    before.terminationGracePeriodSeconds !== undefined &&
    before.terminationGracePeriodSeconds < 0 &&
    spec.terminationGracePeriodSeconds === 1
  ) {
    put('terminationGracePeriodSeconds', before.terminationGracePeriodSeconds);
  }
  // A gated pod is not placed yet, so where it may go can still be narrowed.
  if (gated) {
    put('nodeSelector', before.nodeSelector);
    put('affinity', before.affinity);
  }
  return restored as unknown as PodSpec;
}

/** The members that differ, for the end of the message. */
function difference(now: PodSpec, before: PodSpec): string {
  const keys = [...new Set([...Object.keys(now), ...Object.keys(before)])] as (keyof PodSpec)[];
  return keys
    .filter((key) => !sameJson(now[key], before[key]))
    .map(
      (key) =>
        `- spec.${key}: ${JSON.stringify(before[key] ?? null)}\n+ spec.${key}: ${JSON.stringify(now[key] ?? null)}`,
    )
    .join('\n');
}

export function validatePodStatusUpdate(pod: Pod, old: Pod): readonly FieldError[] {
  const errors: Errors = [];
  if (!sameJson(pod.spec?.nodeName, old.spec?.nodeName))
    errors.push(fieldError.forbidden('status.nodeName', 'may not be changed directly'));
  for (const [field, now, before] of [
    ['status.containerStatuses', pod.status?.containerStatuses, old.status?.containerStatuses],
    ['status.initContainerStatuses', pod.status?.initContainerStatuses, old.status?.initContainerStatuses],
  ] as const) {
    if (old.spec?.restartPolicy === 'Always') continue;
    for (const [index, status] of (before ?? []).entries()) {
      const next = now?.find((s) => s.name === status.name);
      const { terminated } = status.state ?? {};
      if (terminated === undefined || next === undefined) continue;
      if (old.spec?.restartPolicy === 'OnFailure' && terminated.exitCode !== 0) continue;
      const rules = [...(old.spec?.containers ?? []), ...(old.spec?.initContainers ?? [])].find(
        (c) => c.name === status.name,
      );
      if (rules?.restartPolicy !== undefined) continue;
      if (next.state?.terminated === undefined)
        errors.push(
          fieldError.forbidden(`${field}[${index}].state`, 'may not be transitioned to non-terminated state'),
        );
    }
  }
  return errors;
}
