// Name hashes of ReplicaSets and ControllerRevisions: FNV-1a over the normal form, in the alphabet that makes no words.
// The shape is upstream's (8–10 letters of it); the number is not, since upstream hashes Go's memory layout. Nothing relies
// on the number: existing revisions are found by comparing templates.

const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** Hash of any JSON value; key order does not matter. `collisionCount` moves it when two values meet. */
export function revisionHash(value: unknown, collisionCount?: number): string {
  let hash = 0x811c9dc5;
  const feed = (text: string) => {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  };
  feed(canonical(value));
  if (collisionCount !== undefined && collisionCount > 0) feed(`#${collisionCount}`);
  return [...String(hash)].map((c) => ALPHABET[c.charCodeAt(0) % ALPHABET.length]).join('');
}

/** JSON with sorted keys, without absent members. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).filter(([, v]) => v !== undefined && v !== null);
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`)
    .join(',')}}`;
}
