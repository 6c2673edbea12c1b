// Splicing resourceVersion and apiVersion into stored JSON. Stored bytes carry the storage version's apiVersion and no
// resourceVersion. Two layouts occur, both upstream's: struct order (`{"kind":…,"apiVersion":…,"metadata":{"name":…`) and, for
// custom resources, sorted keys (`{"apiVersion":…,"kind":…,"metadata":{"annotations":…`). resourceVersion goes where upstream
// puts it in either.

export interface Layout {
  /** First and last+1 byte of apiVersion's value, quotes excluded. -1 when there is none. */
  readonly apiVersionStart: number;
  readonly apiVersionEnd: number;
  /** Offset at which resourceVersion is inserted. */
  readonly insertAt: number;
  /** Whether a member stands right before and right behind that offset. */
  readonly memberBefore: boolean;
  readonly memberBehind: boolean;
  /** First byte behind a leading kind and apiVersion and the comma that follows; -1 in sorted layout. */
  readonly bodyStart: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Members of ObjectMeta that upstream emits before resourceVersion. */
const BEFORE_RESOURCE_VERSION: ReadonlySet<string> = new Set(['name', 'generateName', 'namespace', 'selfLink', 'uid']);

export function layoutOf(bytes: Uint8Array): Layout {
  let apiVersionStart = -1;
  let apiVersionEnd = -1;
  let sorted = false;
  let at = expect(bytes, 0, OPEN_BRACE);
  while (bytes[at] !== CLOSE_BRACE) {
    const keyEnd = endOfString(bytes, at);
    const key = latin1(bytes, at + 1, keyEnd - 1);
    const value = keyEnd + 1;
    if (key === 'metadata' && bytes[value] === OPEN_BRACE) {
      const place = placeInMetadata(bytes, value, sorted);
      // apiVersion behind metadata is nobody's layout, but it is legal: look for it.
      if (apiVersionStart < 0) {
        [apiVersionStart, apiVersionEnd] = findApiVersion(bytes, endOfValue(bytes, value));
      }
      const bodyStart = sorted || apiVersionStart < 0 || apiVersionStart > at ? -1 : at;
      return { apiVersionStart, apiVersionEnd, bodyStart, ...place };
    }
    const end = endOfValue(bytes, value);
    if (key === 'apiVersion' && bytes[value] === QUOTE) {
      sorted = bytes[1] === QUOTE && bytes[2] === 0x61; // "a…": apiVersion comes first only in sorted layout
      apiVersionStart = value + 1;
      apiVersionEnd = end - 1;
    }
    at = bytes[end] === COMMA ? end + 1 : end;
  }
  throw new SyntaxError('stored object has no metadata');
}

function findApiVersion(bytes: Uint8Array, from: number): [number, number] {
  let at = from;
  while (bytes[at] === COMMA) {
    const keyEnd = endOfString(bytes, at + 1);
    const end = endOfValue(bytes, keyEnd + 1);
    if (latin1(bytes, at + 2, keyEnd - 1) === 'apiVersion') return [keyEnd + 2, end - 1];
    at = end;
  }
  return [-1, -1];
}

function placeInMetadata(
  bytes: Uint8Array,
  open: number,
  sorted: boolean,
): Pick<Layout, 'insertAt' | 'memberBefore' | 'memberBehind'> {
  let insertAt = open + 1;
  let memberBefore = false;
  let at = open + 1;
  while (bytes[at] !== CLOSE_BRACE) {
    const keyEnd = endOfString(bytes, at);
    const key = latin1(bytes, at + 1, keyEnd - 1);
    if (sorted ? key >= 'resourceVersion' : !BEFORE_RESOURCE_VERSION.has(key))
      return { insertAt, memberBefore, memberBehind: true };
    insertAt = endOfValue(bytes, keyEnd + 1);
    memberBefore = true;
    at = bytes[insertAt] === COMMA ? insertAt + 1 : insertAt;
  }
  return { insertAt, memberBefore, memberBehind: false };
}

export function splicedLength(
  stored: Uint8Array,
  layout: Layout,
  apiVersion: string | undefined,
  revision: number,
): number {
  const versionGrowth =
    apiVersion === undefined || layout.apiVersionStart < 0
      ? 0
      : apiVersion.length - (layout.apiVersionEnd - layout.apiVersionStart);
  return stored.length + versionGrowth + insertion(layout, revision).length;
}

/** What `spliceItem` writes is so long. */
export function itemLength(stored: Uint8Array, layout: Layout, apiVersion: string, revision: number): number {
  if (layout.bodyStart < 0) return splicedLength(stored, layout, apiVersion, revision);
  return 1 + stored.length - layout.bodyStart + insertion(layout, revision).length;
}

/** As an item of a list, which does not repeat what it is; custom resources do, as upstream's. */
export function spliceItem(
  target: Uint8Array,
  offset: number,
  stored: Uint8Array,
  layout: Layout,
  apiVersion: string,
  revision: number,
): number {
  const { bodyStart, insertAt } = layout;
  if (bodyStart < 0) return splice(target, offset, stored, layout, apiVersion, revision);
  let at = offset;
  target[at++] = OPEN_BRACE;
  target.set(stored.subarray(bodyStart, insertAt), at);
  at += insertAt - bodyStart;
  at += writeAscii(target, at, insertion(layout, revision));
  target.set(stored.subarray(insertAt), at);
  return at + stored.length - insertAt;
}

/** Writes the spliced bytes at `offset`; returns the offset behind them. */
export function splice(
  target: Uint8Array,
  offset: number,
  stored: Uint8Array,
  layout: Layout,
  apiVersion: string | undefined,
  revision: number,
): number {
  const text = insertion(layout, revision);
  let at = offset;
  let from = 0;
  const copy = (to: number) => {
    target.set(stored.subarray(from, to), at);
    at += to - from;
    from = to;
  };
  const writeVersion = () => {
    if (apiVersion === undefined || layout.apiVersionStart < 0) return;
    copy(layout.apiVersionStart);
    at += writeAscii(target, at, apiVersion);
    from = layout.apiVersionEnd;
  };
  const versionFirst = layout.apiVersionStart < layout.insertAt;
  if (versionFirst) writeVersion();
  copy(layout.insertAt);
  at += writeAscii(target, at, text);
  if (!versionFirst) writeVersion();
  copy(stored.length);
  return at;
}

function insertion(layout: Layout, revision: number): string {
  return `${layout.memberBefore ? ',' : ''}"resourceVersion":"${revision}"${!layout.memberBefore && layout.memberBehind ? ',' : ''}`;
}

function writeAscii(target: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
  return text.length;
}

function expect(bytes: Uint8Array, at: number, byte: number): number {
  if (bytes[at] !== byte) throw new SyntaxError(`stored object: byte ${at} is not what JSON in normal form has there`);
  return at + 1;
}

/** Offset behind the string that opens at `at`. */
function endOfString(bytes: Uint8Array, at: number): number {
  let i = expect(bytes, at, QUOTE);
  for (;;) {
    const byte = bytes[i];
    if (byte === QUOTE) return i + 1;
    if (byte === undefined) throw new SyntaxError('stored object: text without end');
    i += byte === BACKSLASH ? 2 : 1;
  }
}

/** Offset behind the value that starts at `at` (JSON without white space). */
function endOfValue(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first === QUOTE) return endOfString(bytes, at);
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) {
    let i = at;
    while (i < bytes.length && bytes[i] !== COMMA && bytes[i] !== CLOSE_BRACE && bytes[i] !== CLOSE_BRACKET) i++;
    return i;
  }
  let depth = 0;
  let i = at;
  for (;;) {
    const byte = bytes[i];
    if (byte === undefined) throw new SyntaxError('stored object: value without end');
    if (byte === QUOTE) {
      i = endOfString(bytes, i);
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
      if (depth === 0) return i + 1;
    }
    i++;
  }
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
}
