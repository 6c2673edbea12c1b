// One pass over the bytes of a JSON document before it is parsed: how deep it nests, how many object keys it has, whether
// a number is too long for a double. Cheap enough to run on every request.

export interface ScanResult {
  readonly depth: number;
  readonly keys: number;
  /** A number with more digits than a double holds exactly. */
  readonly longNumber: boolean;
}

/** Digits a double always holds exactly. */
const EXACT_DIGITS = 15;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

export function scan(bytes: Uint8Array): ScanResult {
  let depth = 0;
  let deepest = 0;
  let keys = 0;
  let digits = 0;
  let longNumber = false;
  const end = bytes.length;
  for (let i = 0; i < end; i++) {
    const c = bytes[i]!;
    if (c === QUOTE) {
      for (i += 1; i < end; i++) {
        const s = bytes[i]!;
        if (s === QUOTE) break;
        if (s === BACKSLASH) i += 1;
      }
      digits = 0;
    } else if (c >= 0x30 && c <= 0x39) {
      digits += 1;
      if (digits > EXACT_DIGITS) longNumber = true;
    } else {
      digits = 0;
      if (c === COLON) keys += 1;
      else if (c === 0x7b || c === 0x5b) {
        depth += 1;
        if (depth > deepest) deepest = depth;
      } else if (c === 0x7d || c === 0x5d) depth -= 1;
    }
  }
  return { depth: deepest, keys, longNumber };
}
