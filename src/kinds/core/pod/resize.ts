// The resize subresource of a pod: what of a request counts, and what may change (upstream: podResizeStrategy and ValidatePodResize).
// Left out: the check that the node's kubelet can resize at all, which the ones of this cluster can.
import type { Container, Pod, ResourceRequirements } from '#generated/api/core-v1.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import { at, type Errors, sameJson } from '../../rules.ts';
import { computeQos, qosOf } from './qos.ts';
import { isSidecar } from './requests.ts';
import { validatePodSpec } from './validate-spec.ts';

const LISTS = ['initContainers', 'containers'] as const;
const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';

/** The old pod with the resources and policies of the new one; all else of a request is dropped without a word. */
export function prepareResize(pod: Pod, old: Pod): Pod {
  const taken = Object.fromEntries(
    LISTS.filter((list) => old.spec?.[list] !== undefined || pod.spec?.[list] !== undefined).map((list) => [
      list,
      onlyResources(pod.spec?.[list] ?? [], old.spec?.[list] ?? []),
    ]),
  );
  return {
    ...old,
    metadata: { ...old.metadata, resourceVersion: pod.metadata.resourceVersion },
    spec: { ...old.spec!, ...taken },
  };
}

/** Another number or order of containers stays as it is, for the rules to speak of. */
function onlyResources(now: readonly Container[], old: readonly Container[]): readonly Container[] {
  if (now.length !== old.length || now.some((c, i) => c.name !== old[i]!.name)) return now;
  return now.map((container, i) => {
    const { resources: _r, resizePolicy: _p, ...rest } = old[i]!;
    return {
      ...rest,
      ...(container.resources === undefined ? {} : { resources: container.resources }),
      ...(container.resizePolicy === undefined ? {} : { resizePolicy: container.resizePolicy }),
    };
  });
}

export function validateResize(pod: Pod, old: Pod): readonly FieldError[] {
  if (old.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined)
    return [fieldError.forbidden('', 'static pods cannot be resized')];
  if (old.spec?.os?.name === 'windows') return [fieldError.forbidden('', 'windows pods cannot be resized')];
  const errors: Errors = [];
  validatePodSpec(pod.spec!, 'spec', errors);
  if (qosOf(old) !== computeQos(pod))
    errors.push(
      fieldError.invalid('spec', pod.status?.qosClass ?? '', 'Pod QOS Class may not change as a result of resizing'),
    );
  const order = LISTS.flatMap((list) => orderErrors(pod.spec?.[list] ?? [], old.spec?.[list] ?? [], list));
  if (order.length > 0) return [...errors, ...order];
  let others = true;
  for (const list of LISTS)
    for (const [index, before] of (old.spec?.[list] ?? []).entries()) {
      const now = pod.spec![list]![index]!;
      const path = `${at(`spec.${list}`, index)}.resources`;
      if (list === 'initContainers' && !isSidecar(before)) {
        if (!sameJson(now.resources ?? {}, before.resources ?? {}))
          errors.push(fieldError.forbidden(path, 'resources for non-sidecar init containers are immutable'));
        continue;
      }
      for (const kind of ['requests', 'limits'] as const)
        if (isRemoved(now.resources?.[kind], before.resources?.[kind]))
          errors.push(fieldError.forbidden(`${path}.${kind}`, `resource ${kind} cannot be removed`));
      others &&= sameJson(withoutResized(now.resources), withoutResized(before.resources));
    }
  if (!others) errors.push(fieldError.forbidden('spec', 'only cpu and memory resources are mutable'));
  return errors;
}

function orderErrors(now: readonly Container[], old: readonly Container[], list: string): FieldError[] {
  if (now.length !== old.length)
    return [fieldError.forbidden(`spec.${list}`, `${list} may not be added or removed on resize`)];
  return old.flatMap((container, index) =>
    container.name === now[index]!.name
      ? []
      : [
          fieldError.forbidden(
            `${at(`spec.${list}`, index)}.name`,
            `${list} may not be renamed or reordered on resize`,
          ),
        ],
  );
}

type Amounts = Readonly<Record<string, string>> | undefined;

const isRemoved = (now: Amounts, old: Amounts): boolean =>
  ['cpu', 'memory'].some((name) => old?.[name] !== undefined && now?.[name] === undefined);

function withoutResized(resources: ResourceRequirements | undefined): unknown {
  const rest = (amounts: Amounts) => {
    const { cpu: _c, memory: _m, ...others } = amounts ?? {};
    return others;
  };
  return { ...resources, requests: rest(resources?.requests), limits: rest(resources?.limits) };
}
