// docs/coverage.md says which test stands for which requirement: every row names a test file that is there and titles that are in it.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { read, ROOT } from './sources.ts';

interface Row {
  readonly noun: string;
  readonly file: string;
  /** `describe › it` or one of them. */
  readonly title: string;
}

const rowsOf = (document: string): readonly Row[] =>
  [...document.matchAll(/^\| (.+?) \| `([^`]+\.ts)` \| (.+?) \|$/gm)].map((m) => ({
    noun: m[1]!,
    file: m[2]!,
    title: m[3]!,
  }));

const literal = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
/** What a title may be written in. */
const QUOTED = /'((?:[^'\\\n]|\\.)+)'|"((?:[^"\\\n]|\\.)+)"|`((?:[^`\\]|\\.)+)`/;
const TITLE = new RegExp(`\\b(?:describe|it)\\(\\s*(?:${QUOTED.source})`, 'g');
const unescape = (text: string) => text.replaceAll(/\\(.)/g, '$1');

/** Is it the title of a suite or a test in the text? Templates count when what they put in stands in the text as well. */
function hasTitle(text: string, title: string): boolean {
  for (const [, single, double, template] of text.matchAll(TITLE)) {
    if (unescape(single ?? double ?? '') === title) return true;
    if (template === undefined) continue;
    const parts = template.split(/\$\{[^}]*\}/);
    const found = new RegExp(`^${parts.map((p) => literal(unescape(p))).join('(.+)')}$`).exec(title);
    if (found?.slice(1).every((part) => text.includes(part)) === true) return true;
  }
  // `it(title, …)` over a list of titles.
  return (
    /\b(?:describe|it)\(\s*(?:title|name|what)\b/.test(text) &&
    ["'", '"', '`'].some((q) => text.includes(q + title + q))
  );
}

function wrongRow({ noun, file, title }: Row): string | undefined {
  if (!existsSync(join(ROOT, file))) return `${noun}: there is no ${file}`;
  const missing = title.split(' › ').find((part) => !hasTitle(read(file), part));
  return missing === undefined ? undefined : `${noun}: ${file} has no test “${missing}”`;
}

describe('docs/coverage.md', () => {
  const rows = rowsOf(read('docs/coverage.md'));

  it('has a row for every requirement, and no line of a table that is not understood', () => {
    const lines = read('docs/coverage.md')
      .split('\n')
      .filter((l) => l.startsWith('| ') && !l.startsWith('| what |'));
    assert.equal(rows.length, lines.length);
    assert.ok(rows.length > 150, `${rows.length} rows`);
  });

  it('names tests that exist', () => {
    assert.deepEqual(
      rows.map(wrongRow).filter((w) => w !== undefined),
      [],
    );
  });

  it('is judged by a test that can fail', () => {
    const file = 'test/tidy/coverage.test.ts';
    assert.equal(wrongRow({ noun: 'n', file, title: 'docs/coverage.md › names tests that exist' }), undefined);
    assert.match(wrongRow({ noun: 'n', file, title: `names tests that ${'do not'} exist` })!, /has no test/);
    assert.match(wrongRow({ noun: 'n', file: 'test/none.test.ts', title: 't' })!, /there is no/);
  });
});
