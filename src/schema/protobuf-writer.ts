// Writing protobuf by field numbers: the few shapes that documents need.

/** Wire types. */
const VARINT = 0;
const LENGTH_DELIMITED = 2;

const NOTHING = new Uint8Array(0);

export function join(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/** A field that is a message of these fields. */
export function message(field: number, fields: readonly Uint8Array[]): Uint8Array {
  return delimited(field, join(fields));
}

/** Absent and empty strings are not written. */
export function text(field: number, value: unknown): Uint8Array {
  return typeof value === 'string' && value !== '' ? delimited(field, Buffer.from(value)) : NOTHING;
}

export function strings(field: number, values: unknown): Uint8Array {
  return Array.isArray(values) ? join(values.map((value) => text(field, value))) : NOTHING;
}

export function bool(field: number, value: unknown): Uint8Array {
  return value === true ? Buffer.from([...varint((field << 3) | VARINT), 1]) : NOTHING;
}

function delimited(field: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from([...varint((field << 3) | LENGTH_DELIMITED), ...varint(bytes.length)]), bytes]);
}

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) out.push((rest & 0x7f) | 0x80);
  out.push(rest);
  return out;
}
