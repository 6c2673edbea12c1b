// The original's answers on disk: one compressed file an area, a line a case, sorted by id and with sorted keys, so that equal content has
// equal bytes. A case carries the hash of what was asked: a changed case has no answer until it is recorded again.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import type { Area } from '../case.ts';

export const RECORDED_DIR = join(import.meta.dirname, '..', 'recorded');

export interface RecordedCase {
  readonly hash: string;
  readonly answers: unknown;
}

/** Answers repeat each other over megabytes (managed fields, defaults), so the window is large and everything is one stream. */
const WINDOW_BITS = 24;
const QUALITY = 9;

const fileOf = (area: Area, dir: string): string => join(dir, `${area}.jsonl.br`);

/** Case id → what was recorded; empty when nothing was. */
export function readRecorded(area: Area, dir = RECORDED_DIR): Map<string, RecordedCase> {
  const path = fileOf(area, dir);
  const out = new Map<string, RecordedCase>();
  if (!existsSync(path)) return out;
  for (const line of brotliDecompressSync(readFileSync(path)).toString('utf8').split('\n')) {
    if (line === '') continue;
    const [id, hash, answers] = JSON.parse(line) as [string, string, unknown];
    out.set(id, { hash, answers });
  }
  return out;
}

/** Returns the size of the file. */
export function writeRecorded(area: Area, cases: ReadonlyMap<string, RecordedCase>, dir = RECORDED_DIR): number {
  const lines = [...cases]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, { hash, answers }]) => JSON.stringify([id, hash, sorted(answers)]));
  const text = Buffer.from(lines.map((l) => `${l}\n`).join(''));
  const packed = brotliCompressSync(text, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
    },
  });
  mkdirSync(dir, { recursive: true });
  writeFileSync(fileOf(area, dir), packed);
  return packed.length;
}

/** With the keys of every map in order. */
export function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, v]) => v !== undefined);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, sorted(v)]));
}
