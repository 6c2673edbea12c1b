// What the API thread and the store thread say to each other. Rows travel packed: one transferred buffer for all values of a
// message, so that a batch costs one message and no per-row copies of buffers.
import type { StoreError } from '../store.ts';

export interface Row {
  readonly revision: number;
  readonly key: string;
  /** Undefined: the key was deleted at this revision. */
  readonly value: Uint8Array | undefined;
  readonly createRevision: number;
  /** modRevision of what stood there before; 0 when nothing did. */
  readonly previous: number;
  /** Wall clock in milliseconds at which the key deletes itself; 0 = never. */
  readonly expiresMs: number;
}

const NUMBERS = 5;
const NO_VALUE = -1;

export interface PackedRows {
  readonly keys: string[];
  /** Per row: revision, createRevision, previous, expiresMs, length of the value. */
  readonly numbers: Float64Array;
  readonly data: Uint8Array<ArrayBuffer>;
}

export type Request =
  /** `epoch` names the run of writes; after a failure those of the failed epoch are ignored. */
  | { readonly type: 'write'; readonly epoch: number; readonly rows: PackedRows }
  /** The keys in [from, to) as they stood at `revision`, at most `limit`. */
  | {
      readonly type: 'list';
      readonly id: number;
      readonly from: string;
      readonly to: string;
      readonly revision: number;
      readonly limit: number;
    }
  /** Changes of keys in [from, to) with after < revision <= upTo. */
  | {
      readonly type: 'history';
      readonly id: number;
      readonly from: string;
      readonly to: string;
      readonly after: number;
      readonly upTo: number;
    }
  | { readonly type: 'compact'; readonly id: number; readonly revision: number }
  | { readonly type: 'close'; readonly id: number };

export type Reply =
  /** Part of the newest values, sent before `opened`. */
  | { readonly type: 'newest'; readonly rows: PackedRows }
  | { readonly type: 'opened'; readonly revision: number; readonly compacted: number }
  | { readonly type: 'refused'; readonly code: StoreError['code']; readonly message: string }
  /** Every write up to `revision` is on disk. */
  | { readonly type: 'durable'; readonly revision: number }
  /** Nothing of `epoch` that was not yet reported durable is on disk. `fatal`: nothing can be written any more. */
  | {
      readonly type: 'failed';
      readonly epoch: number;
      readonly code: StoreError['code'];
      readonly message: string;
      readonly fatal: boolean;
    }
  | { readonly type: 'rows'; readonly id: number; readonly rows: PackedRows; readonly previous: PackedRows }
  | { readonly type: 'done'; readonly id: number }
  | {
      readonly type: 'error';
      readonly id: number;
      readonly code: StoreError['code'] | 'Compacted';
      readonly message: string;
      readonly revision: number;
    };

export function packRows(rows: readonly Row[]): PackedRows {
  let bytes = 0;
  for (const row of rows) bytes += row.value?.length ?? 0;
  const keys: string[] = [];
  const numbers = new Float64Array(rows.length * NUMBERS);
  const data = new Uint8Array(bytes);
  let at = 0;
  for (let i = 0, n = 0; i < rows.length; i++, n += NUMBERS) {
    const row = rows[i]!;
    keys.push(row.key);
    numbers[n] = row.revision;
    numbers[n + 1] = row.createRevision;
    numbers[n + 2] = row.previous;
    numbers[n + 3] = row.expiresMs;
    if (row.value === undefined) {
      numbers[n + 4] = NO_VALUE;
    } else {
      numbers[n + 4] = row.value.length;
      data.set(row.value, at);
      at += row.value.length;
    }
  }
  return { keys, numbers, data };
}

/** `copy`: values get buffers of their own, so that one of them does not keep all of them in memory. */
export function unpackRows(packed: PackedRows, copy: boolean): Row[] {
  const rows: Row[] = [];
  let at = 0;
  for (let i = 0, n = 0; i < packed.keys.length; i++, n += NUMBERS) {
    const length = packed.numbers[n + 4]!;
    let value: Uint8Array | undefined;
    if (length !== NO_VALUE) {
      value = copy ? packed.data.slice(at, at + length) : packed.data.subarray(at, at + length);
      at += length;
    }
    rows.push({
      revision: packed.numbers[n]!,
      key: packed.keys[i]!,
      value,
      createRevision: packed.numbers[n + 1]!,
      previous: packed.numbers[n + 2]!,
      expiresMs: packed.numbers[n + 3]!,
    });
  }
  return rows;
}

/** The buffers to transfer with a message. */
export function transfersOf(message: Request | Reply): ArrayBuffer[] {
  if (message.type === 'rows') return [message.rows.data.buffer, message.previous.data.buffer];
  return message.type === 'write' || message.type === 'newest' ? [message.rows.data.buffer] : [];
}
