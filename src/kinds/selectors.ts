// Rules about labels and selectors that many kinds share (upstream: apis/meta/v1/validation).
import type { LabelSelector } from '#generated/api/meta-v1.ts';
import { isLabelKey, isLabelValue, isQualifiedName } from '#machinery/names.ts';
import { fieldError } from '#machinery/status.ts';
import { type Errors, at, child } from './rules.ts';

export function validateLabels(
  labels: Readonly<Record<string, string>> | undefined,
  path: string,
  errors: Errors,
): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    for (const message of isLabelKey(key)) errors.push(fieldError.invalid(path, key, message));
    for (const message of isLabelValue(value)) errors.push(fieldError.invalid(path, value, message));
  }
}

export function validateLabelSelector(selector: LabelSelector | undefined, path: string, errors: Errors): void {
  if (selector === undefined || selector === null) return;
  validateLabels(selector.matchLabels, child(path, 'matchLabels'), errors);
  for (const [index, expression] of (selector.matchExpressions ?? []).entries()) {
    const where = at(child(path, 'matchExpressions'), index);
    switch (expression.operator) {
      case 'In':
      case 'NotIn':
        if ((expression.values ?? []).length === 0)
          errors.push(fieldError.required(`${where}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
        break;
      case 'Exists':
      case 'DoesNotExist':
        if ((expression.values ?? []).length > 0)
          errors.push(
            fieldError.forbidden(
              `${where}.values`,
              "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
          );
        break;
      default:
        errors.push(fieldError.invalid(`${where}.operator`, expression.operator, 'not a valid selector operator'));
    }
    for (const message of isQualifiedName(expression.key))
      errors.push(fieldError.invalid(`${where}.key`, expression.key, message));
    for (const [i, value] of (expression.values ?? []).entries()) {
      for (const message of isLabelValue(value))
        errors.push(fieldError.invalid(at(`${where}.values`, i), value, message));
    }
  }
}

export const isEmptySelector = (selector: LabelSelector | undefined): boolean =>
  Object.keys(selector?.matchLabels ?? {}).length === 0 && (selector?.matchExpressions ?? []).length === 0;
