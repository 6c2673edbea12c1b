// Values as error messages show them.

import { formatDouble } from './conversions.ts';
import { Double, TypeValue, Uint, type Value } from './values.ts';

export function formatValue(value: Value): string {
  if (value instanceof Double) return formatDouble(value.value);
  if (value instanceof Uint) return String(value.value);
  if (value instanceof TypeValue) return value.name;
  if (Array.isArray(value)) return `[${value.map(formatValue).join(', ')}]`;
  return String(value);
}
