// Taints and tolerations (upstream: component-helpers, scheduling/corev1).
import type { Taint, Toleration } from '#generated/api/core-v1.ts';

/** Empty key with Exists tolerates everything; an empty effect matches all effects. */
export function toleratesTaint(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== undefined && toleration.effect !== '' && toleration.effect !== taint.effect) return false;
  if (toleration.key !== undefined && toleration.key !== '' && toleration.key !== taint.key) return false;
  if (toleration.operator === 'Exists') return true;
  if (toleration.operator !== undefined && toleration.operator !== '' && toleration.operator !== 'Equal') return false;
  return (toleration.value ?? '') === (taint.value ?? '');
}

export const toleratesAny = (tolerations: readonly Toleration[] | undefined, taint: Taint): boolean =>
  tolerations?.some((t) => toleratesTaint(t, taint)) === true;

/** The first taint of one of `effects` that nothing tolerates. */
export function findUntolerated(
  taints: readonly Taint[] | undefined,
  tolerations: readonly Toleration[] | undefined,
  effects: readonly string[],
): Taint | undefined {
  return taints?.find((taint) => effects.includes(taint.effect) && !toleratesAny(tolerations, taint));
}

/** `key=value:Effect`, as messages and events write taints. */
export function formatTaint(taint: Taint): string {
  const head = taint.value === undefined || taint.value === '' ? taint.key : `${taint.key}=${taint.value}`;
  return taint.effect === '' ? head : `${head}:${taint.effect}`;
}
