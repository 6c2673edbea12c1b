// LimitRange.
import type { LimitRange, LimitRangeItem } from '#generated/api/core-v1.ts';
import { compareQuantity, parseQuantity } from '#machinery/quantity.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { type Errors, at } from '../rules.ts';

export const limitRange: ResourceDefinition<LimitRange> = defineKind<LimitRange>({
  resource: 'limitranges',
  shortNames: ['limits'],
  strategy: {
    default: (l) =>
      l.spec === undefined ? l : { ...l, spec: { ...l.spec, limits: (l.spec.limits ?? []).map(defaultItem) } },
    validateCreate: validate,
    validateUpdate: validate,
  },
});

/** For containers a default limit comes from max, a default request from the default limit or min. */
function defaultItem(item: LimitRangeItem): LimitRangeItem {
  if (item.type !== 'Container') return item;
  const limits = { ...item.max, ...item.default };
  const requests = { ...item.min, ...limits, ...item.defaultRequest };
  return {
    ...item,
    ...(Object.keys(limits).length === 0 ? {} : { default: limits }),
    ...(Object.keys(requests).length === 0 ? {} : { defaultRequest: requests }),
  };
}

function validate(l: LimitRange): readonly FieldError[] {
  const errors: Errors = [];
  const types = new Set<string>();
  for (const [index, item] of (l.spec?.limits ?? []).entries()) {
    const where = at('spec.limits', index);
    if (types.has(item.type)) errors.push(fieldError.duplicate(`${where}.type`, item.type));
    types.add(item.type);
    const less = (low: string | undefined, high: string | undefined): boolean =>
      low !== undefined && high !== undefined && compareQuantity(parseQuantity(low), parseQuantity(high)) > 0;
    const names = new Set([item.min, item.max, item.default, item.defaultRequest].flatMap((x) => Object.keys(x ?? {})));
    for (const name of names) {
      const [min, max, given, request] = [
        item.min?.[name],
        item.max?.[name],
        item.default?.[name],
        item.defaultRequest?.[name],
      ];
      if (less(min, max))
        errors.push(
          fieldError.invalid(`${where}.min[${name}]`, min, `min value ${min} is greater than max value ${max}`),
        );
      if (less(request, max))
        errors.push(
          fieldError.invalid(
            `${where}.defaultRequest[${name}]`,
            request,
            `default request value ${request} is greater than max value ${max}`,
          ),
        );
      if (less(request, given))
        errors.push(
          fieldError.invalid(
            `${where}.defaultRequest[${name}]`,
            request,
            `default request value ${request} is greater than default limit value ${given}`,
          ),
        );
      if (less(min, given))
        errors.push(
          fieldError.invalid(
            `${where}.default[${name}]`,
            min,
            `min value ${min} is greater than default value ${given}`,
          ),
        );
      if (less(given, max))
        errors.push(
          fieldError.invalid(
            `${where}.default[${name}]`,
            given,
            `default value ${given} is greater than max value ${max}`,
          ),
        );
    }
  }
  return errors;
}
