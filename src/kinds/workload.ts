// What the kinds with a pod template share: template and selector rules, template defaults, columns.
import type { Container, PodTemplateSpec } from '#generated/api/core-v1.ts';
import type { LabelSelector } from '#generated/api/meta-v1.ts';
import { matcherOf, matchesLabels } from '#machinery/selectors.ts';
import { parsePercent } from '#machinery/intstr.ts';
import { isValidPercent } from '#machinery/names.ts';
import { fieldError } from '#machinery/status.ts';
import { defaultPodSpec } from './core/pod/defaults.ts';
import { validatePodTemplateSpec, validateTemplateMetadata } from './core/pod/validate-spec.ts';
import { type Errors, messages } from './rules.ts';
import { isEmptySelector, validateLabelSelector } from './selectors.ts';

export const defaultTemplate = (template: PodTemplateSpec): PodTemplateSpec =>
  template?.spec === undefined ? template : { ...template, spec: defaultPodSpec(template.spec) };

/** Selector and template belong together; `always` where only restartPolicy Always makes sense. */
export function validateTemplateAndSelector(
  spec: { readonly selector?: LabelSelector; readonly template: PodTemplateSpec },
  kindName: string,
  errors: Errors,
  always = true,
): void {
  const { selector, template } = spec;
  const isGiven =
    selector !== undefined && (selector.matchLabels !== undefined || selector.matchExpressions !== undefined);
  const before = errors.length;
  if (isGiven) {
    validateLabelSelector(selector, 'spec.selector', errors);
    if (errors.length === before && isEmptySelector(selector))
      errors.push(fieldError.invalid('spec.selector', selector, `empty selector is invalid for ${kindName}`));
    else if (errors.length > before && kindName !== 'daemonset')
      errors.push(
        fieldError.invalid('spec.selector', selector, kindName === 'deployment' ? 'invalid label selector' : ''),
      );
  } else if (kindName !== 'daemonset') errors.push(fieldError.required('spec.selector'));
  const isMalformed = isGiven && errors.length > before;
  if (isMalformed && kindName === 'deployment') return;
  if (template === undefined) {
    errors.push(fieldError.required('spec.template'));
    return;
  }
  // A selector that is not there selects nothing.
  const selects = isGiven ? !isMalformed && !isEmptySelector(selector) : true;
  if (selects && !(isGiven && matchesLabels(matcherOf(selector), template.metadata?.labels))) {
    errors.push(
      fieldError.invalid(
        'spec.template.metadata.labels',
        template.metadata?.labels ?? null,
        '`selector` does not match template `labels`',
      ),
    );
  }
  // As upstream, a StatefulSet's pod spec is judged only when pods are made: some of its volumes come from claim templates.
  if (kindName === 'statefulset') validateTemplateMetadata(template, 'spec.template', errors);
  else validatePodTemplateSpec(template, 'spec.template', errors);
  if (!always || template.spec === undefined) return;
  if (template.spec.restartPolicy !== 'Always') {
    errors.push(fieldError.notSupported('spec.template.spec.restartPolicy', template.spec.restartPolicy, ['Always']));
  }
  if (template.spec.activeDeadlineSeconds !== undefined) {
    errors.push(
      fieldError.forbidden(
        'spec.template.spec.activeDeadlineSeconds',
        `activeDeadlineSeconds in ${kindName === 'statefulset' ? 'StatefulSet' : kindName === 'daemonset' ? 'DaemonSet' : 'ReplicaSet'} is not Supported`,
      ),
    );
  }
}

/** A number that is not negative, or a percentage. */
export function validateIntOrPercent(value: number | string | undefined, path: string, errors: Errors): void {
  if (typeof value === 'string') messages(isValidPercent(value), path, value, errors);
  else if (value !== undefined && value < 0)
    errors.push(fieldError.invalid(path, value, 'must be greater than or equal to 0'));
}

/** Numbers are not judged. */
export function validateAtMost100Percent(value: number | string | undefined, path: string, errors: Errors): void {
  if (typeof value === 'string' && (parsePercent(value) ?? 0) > 100)
    errors.push(fieldError.invalid(path, value, 'must not be greater than 100%'));
}

export const containerNames = (containers: readonly Container[] | undefined): string =>
  (containers ?? []).map((c) => c.name).join(',');
export const containerImages = (containers: readonly Container[] | undefined): string =>
  (containers ?? []).map((c) => c.image ?? '').join(',');
