import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BUILTIN_OWNERS, owns, PACKAGE_OWNERS, PURE, PURE_CRYPTO } from './owners.ts';
import { isTest, read, sourceFiles } from './sources.ts';

const product = () => sourceFiles('src').filter((f) => !isTest(f.path));
const packageOf = (from: string) =>
  from
    .split('/')
    .slice(0, from.startsWith('@') ? 2 : 1)
    .join('/');

describe('imports from outside', () => {
  it('of node: stand where their owner is', () => {
    const wrong: string[] = [];
    for (const file of product()) {
      for (const { from, names, typeOnly } of file.imports) {
        if (!from.startsWith('node:') || PURE.has(from) || typeOnly) continue;
        const owners = BUILTIN_OWNERS[from];
        if (owners === undefined) wrong.push(`${file.path}: ${from} has no row in test/tidy/owners.ts`);
        else if (from === 'node:crypto' && names.every((n) => PURE_CRYPTO.has(n))) continue;
        else if (!owns(owners, file.path))
          wrong.push(
            `${file.path} imports ${from}; it belongs to ${owners.map((o) => `${o.at} (${o.why})`).join(', ') || 'nobody yet'}`,
          );
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('of packages stand where their owner is', () => {
    const wrong: string[] = [];
    for (const file of product()) {
      for (const { from } of file.imports) {
        if (from.startsWith('node:') || from.startsWith('#') || from.startsWith('.')) continue;
        const owners = PACKAGE_OWNERS[packageOf(from)];
        if (owners === undefined) wrong.push(`${file.path}: ${from} has no row in test/tidy/owners.ts`);
        else if (!owns(owners, file.path))
          wrong.push(`${file.path} imports ${from}; it belongs to ${owners.map((o) => o.at).join(', ')}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('of the product are dependencies, not development dependencies', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    const used = new Set(
      product()
        .flatMap((f) => f.imports.map((i) => i.from))
        .filter((f) => !/^(node:|#|\.)/.test(f))
        .map(packageOf),
    );
    assert.deepEqual(
      [...used].filter((name) => dependencies[name] === undefined),
      [],
    );
  });

  it('are written with node: in front', () => {
    const bare =
      /^(fs|path|net|tls|http|https|http2|os|crypto|child_process|stream|util|events|zlib|dgram|url|buffer)(\/|$)/;
    assert.deepEqual(
      sourceFiles('src').flatMap((f) => f.imports.filter((i) => bare.test(i.from)).map((i) => `${f.path}: ${i.from}`)),
      [],
    );
  });
});
