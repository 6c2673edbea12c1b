import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { CODES, describeCode, formatCode } from './codes.ts';
import { LINKS } from './report.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'why.md'), 'utf8');

describe('CODES', () => {
  it('names each code once, in the order of the chain', () => {
    assert.equal(new Set(CODES.map((c) => c.code)).size, CODES.length);
    const order = CODES.map((c) => LINKS.indexOf(c.link));
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    );
  });

  it('is what docs/why.md lists, word by word', () => {
    const listed = [...page.matchAll(/^### (\w+)$/gm)].map((m) => m[1]);
    assert.deepEqual(
      listed,
      CODES.map((c) => c.code),
    );
    for (const code of CODES) assert.ok(page.includes(formatCode(code)), code.code);
  });

  it('finds a code however it is capitalized', () => {
    assert.equal(describeCode('listeneronloopback')?.link, 'listener');
    assert.equal(describeCode('Nothing'), undefined);
  });
});
