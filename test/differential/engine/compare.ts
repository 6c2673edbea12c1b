// Finds where two answers differ, and puts differences that have one cause together.

export interface Difference {
  /** From the first answer: `2.body.spec.replicas`. Indices are numbers. */
  readonly path: readonly string[];
  /** Undefined: not there. */
  readonly reference: unknown;
  readonly coracle: unknown;
}

/** Every leaf in which they differ, in the order of the answers; within one, status before headers before body. Keys have no order, lists have. */
export function differences(reference: unknown, coracle: unknown, path: readonly string[] = []): Difference[] {
  if (Object.is(reference, coracle)) return [];
  if (Array.isArray(reference) && Array.isArray(coracle)) {
    const out: Difference[] = [];
    for (let i = 0; i < Math.max(reference.length, coracle.length); i++)
      out.push(...differences(reference[i], coracle[i], [...path, String(i)]));
    return out;
  }
  if (isMap(reference) && isMap(coracle)) {
    const keys = [...new Set([...Object.keys(reference), ...Object.keys(coracle)])].toSorted(byImportance);
    return keys.flatMap((key) => {
      const here = key in reference;
      const there = key in coracle;
      if (here && there) return differences(reference[key], coracle[key], [...path, key]);
      return [
        {
          path: [...path, key],
          reference: here ? reference[key] : undefined,
          coracle: there ? coracle[key] : undefined,
        },
      ];
    });
  }
  return [{ path, reference, coracle }];
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What says most comes first: a wrong status explains a wrong body. */
const FIRST = [
  'status',
  'headers',
  'events',
  'body',
  'code',
  'reason',
  'message',
  'details',
  'kind',
  'type',
  'apiVersion',
];
function byImportance(a: string, b: string): number {
  const [i, j] = [FIRST.indexOf(a), FIRST.indexOf(b)].map((n) => (n < 0 ? FIRST.length : n)) as [number, number];
  return i - j || (a < b ? -1 : a > b ? 1 : 0);
}

/** One line for people: where, what the original says, what Coracle says. */
export function describeDifference(difference: Difference, width = 160): string {
  return `${difference.path.join('.')}: ${shown(difference.reference, width)} ≠ ${shown(difference.coracle, width)}`;
}

function shown(value: unknown, width: number): string {
  if (value === undefined) return '(absent)';
  const text = JSON.stringify(value);
  return text.length > width ? `${text.slice(0, width)}…` : text;
}

/**
 * What cases with the same fault have in common: the path without indices and the two values without what belongs to the case or the kind
 * (names, numbers, quoted words).
 */
export function causeOf(difference: Difference, kindWords: readonly string[] = []): string {
  const path = difference.path
    .slice(1)
    .map((p) => (/^\d+$/.test(p) ? '*' : p.startsWith('k:') ? 'k:…' : p))
    .join('.');
  const mask = (value: unknown) => {
    if (typeof value === 'number' && /^(status|body\.code)$/.test(path)) return String(value);
    let text = shown(value, 4_000);
    for (const word of kindWords) if (word !== '') text = text.replaceAll(word, 'KIND');
    return text
      .replaceAll(/KIND(\.[a-z0-9.]+)?(?= \\")/g, 'KIND')
      .replaceAll(/\b(ns|id)-[0-9a-f]{8}\b/g, '$1')
      .replaceAll(/\\"[^"\\]*\\"/g, '“…”')
      .replaceAll(/\b\d+\b/g, 'N');
  };
  const [reference, coracle] = aroundFirstChange(mask(difference.reference), mask(difference.coracle));
  return `${path}: ${reference} ≠ ${coracle}`;
}

/** Kept of what two texts begin with alike, and of each from there on. */
const BEFORE = 30;
const BEHIND = 90;

function aroundFirstChange(a: string, b: string): [string, string] {
  let same = 0;
  while (same < a.length && a[same] === b[same]) same++;
  const from = same > BEFORE + 10 ? same - BEFORE : 0;
  const cut = (text: string) => {
    const kept = text.slice(from, same + BEHIND);
    return `${from > 0 ? '…' : ''}${kept}${from + kept.length < text.length ? '…' : ''}`;
  };
  return [cut(a), cut(b)];
}
