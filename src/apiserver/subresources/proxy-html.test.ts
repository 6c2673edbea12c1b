import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { describe, it } from 'node:test';
import { readBody } from '#machinery/exchange.ts';
import { rewriteAddress, rewriteAnswer, rewriteHtml } from './proxy-html.ts';

const PREFIX = '/api/v1/namespaces/d/pods/web/proxy';

async function rewritten(html: string, chunkLength = html.length): Promise<string> {
  async function* chunks() {
    for (let at = 0; at < html.length; at += chunkLength) yield Buffer.from(html.slice(at, at + chunkLength), 'latin1');
  }
  const out = await Array.fromAsync(rewriteHtml(chunks(), PREFIX, 'web:80'));
  return Buffer.concat(out).toString('latin1');
}

describe('rewriteHtml', () => {
  const table: readonly (readonly [string, string, string])[] = [
    ['a link', '<a href="/x?y#z">t</a>', `<a href="${PREFIX}/x?y#z">t</a>`],
    ['any quotes, spaces and letters', "<IMG alt=a SRC = '/p.png'>", `<IMG alt=a SRC = '${PREFIX}/p.png'>`],
    ['no quotes', '<form action=/go>', `<form action=${PREFIX}/go>`],
    ['no other attribute', '<a title="/x" data-href="/y">', '<a title="/x" data-href="/y">'],
    ['no attribute of another element', '<p href="/x">', '<p href="/x">'],
    [
      'no program',
      '<script src="/a.js">"<a href=\'/x\'>"</script><a href="/b">',
      `<script src="${PREFIX}/a.js">"<a href='/x'>"</script><a href="${PREFIX}/b">`,
    ],
    ['no comment', '<!-- <a href="/x"> --><b>', '<!-- <a href="/x"> --><b>'],
    ['a tag with > inside', '<a title=">" href="/x">', `<a title=">" href="${PREFIX}/x">`],
    ['text with <', '1 < 2 <a href="/x"> <', `1 < 2 <a href="${PREFIX}/x"> <`],
    ['a tag that never ends', '<b>x</b><a href="/x', '<b>x</b><a href="/x'],
    ['bytes beyond ASCII', 'caf\xe9 <a href="/\xe9">', `caf\xe9 <a href="${PREFIX}/\xe9">`],
  ];
  for (const [name, html, expected] of table) {
    it(`rewrites ${name}`, async () => assert.equal(await rewritten(html), expected));
    it(`rewrites ${name}, in single bytes`, async () => assert.equal(await rewritten(html, 1), expected));
  }
});

describe('rewriteAddress', () => {
  for (const [address, expected] of [
    ['/x', `${PREFIX}/x`],
    ['x/y', 'x/y'],
    ['#top', '#top'],
    ['mailto:me@example.test', 'mailto:me@example.test'],
    ['https://example.test/x', 'https://example.test/x'],
    ['//example.test/x', '//example.test/x'],
    ['http://web:80/x', `${PREFIX}/x`],
    ['http://web:80', `http://web:80`],
    [`${PREFIX}/x`, `${PREFIX}/x`],
  ] as const)
    it(`makes ${address} to ${expected}`, () => assert.equal(rewriteAddress(address, PREFIX, 'web:80'), expected));
});

describe('rewriteAnswer', () => {
  const answer = async (headers: Record<string, string>, body: Uint8Array) => {
    const out = rewriteAnswer({ status: 200, headers, body: ReadableStream.from([body]) }, PREFIX, 'web:80');
    return { headers: out.headers, text: Buffer.from(await readBody(out.body)).toString() };
  };
  const page = '<a href="/x">';

  it('takes compression off a page, and the length that is no longer true', async () =>
    assert.deepEqual(
      await answer(
        { 'content-type': 'text/html; charset=utf-8', 'content-encoding': 'gzip', 'content-length': '33' },
        gzipSync(page),
      ),
      { headers: { 'content-type': 'text/html; charset=utf-8' }, text: `<a href="${PREFIX}/x">` },
    ));
  it('leaves other types alone', async () =>
    assert.deepEqual(await answer({ 'content-type': 'text/plain', 'content-length': '13' }, Buffer.from(page)), {
      headers: { 'content-type': 'text/plain', 'content-length': '13' },
      text: page,
    }));
});
