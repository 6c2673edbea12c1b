// The short hash that ties pods to the template they came from (labels pod-template-hash, controller-revision-hash): 32-bit
// FNV-1a over the template's normal form, in letters that spell nothing. Upstream hashes a Go dump instead, so the values
// differ from upstream's for the same template; their shape does not.

const SAFE = 'bcdfghjklmnpqrstvwxz2456789';
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export function fnv32a(text: string): number {
  let hash = FNV_OFFSET;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, FNV_PRIME) >>> 0;
  return hash;
}

/** Decimal digits and letters replaced one by one (upstream's rand.SafeEncodeString). */
export function safeEncode(text: string): string {
  let out = '';
  for (const char of text) out += SAFE[char.charCodeAt(0) % SAFE.length];
  return out;
}

/** `template` in normal form; `collisionCount` as the controller's status has it. */
export function templateHash(template: unknown, collisionCount?: number): string {
  const suffix = collisionCount === undefined ? '' : String(collisionCount);
  return safeEncode(String(fnv32a(JSON.stringify(template) + suffix)));
}
