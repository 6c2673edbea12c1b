// Prefers nodes that have the pod's large images already; an image on few nodes counts less, so that it does not draw
// everything to them.
import type { Plugin, Snapshot } from '../framework.ts';
import { MAX_SCORE } from './normalize.ts';

const MIB = 1024 * 1024;
/** Upstream's bounds: less saves nothing worth, more does not count. Per container. */
const MIN_BYTES = 23 * MIB;
const MAX_BYTES = 1000 * MIB;

interface Wanted {
  readonly name: string;
  /** Share of the nodes that have it. */
  readonly spread: number;
}

export const imageLocality: Plugin<unknown, readonly Wanted[]> = {
  name: 'ImageLocality',
  preScore: ({ pod }, snapshot: Snapshot) => {
    const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
    const wanted = containers.map((c) => {
      const name = normalizedImageName(c.image ?? '');
      return { name, spread: snapshot.nodes.length === 0 ? 0 : snapshot.imageNodes(name) / snapshot.nodes.length };
    });
    return wanted.some((w) => w.spread > 0) ? wanted : undefined;
  },
  score: (wanted, _pod, node) => {
    const sum = wanted.reduce(
      (total, { name, spread }) => total + Math.floor((node.images.get(name) ?? 0) * spread),
      0,
    );
    const max = MAX_BYTES * wanted.length;
    const bounded = Math.min(max, Math.max(MIN_BYTES, sum));
    return Math.floor((MAX_SCORE * (bounded - MIN_BYTES)) / (max - MIN_BYTES));
  },
};

/** Nodes report images with their tag: `nginx` is `nginx:latest`. */
export function normalizedImageName(name: string): string {
  return name.lastIndexOf(':') <= name.lastIndexOf('/') && !name.includes('@') ? `${name}:latest` : name;
}
