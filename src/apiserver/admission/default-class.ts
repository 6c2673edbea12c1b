// How a default class is chosen among several that are marked: the newest, then the first by name.
import type { KubeObject } from '#machinery/object.ts';

export function defaultClass<T extends KubeObject>(
  classes: readonly T[],
  annotations: readonly string[],
): T | undefined {
  const marked = classes.filter((c) => annotations.some((key) => c.metadata.annotations?.[key] === 'true'));
  const created = (c: T): number => Date.parse(c.metadata.creationTimestamp ?? '') || 0;
  return marked.toSorted((a, b) => created(b) - created(a) || (a.metadata.name! < b.metadata.name! ? -1 : 1))[0];
}
