import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { firstErrorLine, parseReport } from './report.ts';

const spec = (leaf: string, state: string, more: object = {}) => ({
  ContainerHierarchyTexts: ['[sig-node] Pods'],
  LeafNodeText: leaf,
  LeafNodeType: 'It',
  State: state,
  RunTime: 1_260_000_000,
  ...more,
});
const parse = (...specs: object[]) => parseReport(JSON.stringify([{ SuiteSucceeded: false, SpecReports: specs }]));

describe('parseReport', () => {
  it('names a test by all its containers and counts seconds', () =>
    assert.deepEqual(parse(spec('should run [Conformance]', 'passed')).results, [
      { name: '[sig-node] Pods should run [Conformance]', outcome: 'passed', seconds: 1.3 },
    ]));

  for (const state of ['failed', 'panicked', 'timedout'])
    it(`takes ${state} for failed`, () => {
      const [result] = parse(spec('a [Conformance]', state, { Failure: { Message: '\n  it broke\nbecause' } })).results;
      assert.deepEqual([result?.outcome, result?.error], ['failed', 'it broke']);
    });

  for (const state of ['pending', 'interrupted', 'aborted', 'skipped', ''])
    it(`has no result for ${state || 'what never began'}`, () =>
      assert.deepEqual(parse(spec('a [Conformance]', state)).results, []));

  it('keeps why a test left itself out', () =>
    assert.deepEqual(
      parse(spec('a [Conformance]', 'skipped', { Failure: { Message: 'needs 3 nodes' } })).results.map((r) => [
        r.outcome,
        r.error,
      ]),
      [['skipped', 'needs 3 nodes']],
    ));

  it('leaves out tests that are not for conformance', () =>
    assert.deepEqual(parse(spec('should run', 'passed')).results, []));

  it('tells what broke outside tests', () =>
    assert.deepEqual(
      parse({ LeafNodeType: 'SynchronizedBeforeSuite', State: 'failed', Failure: { Message: 'no nodes' } }).problems,
      ['SynchronizedBeforeSuite: no nodes'],
    ));
});

describe('firstErrorLine', () => {
  for (const [name, failure, expected] of [
    ['is nothing without a message', {}, undefined],
    ['prefers a panic', { Message: 'Test Panicked', ForwardedPanic: 'nil map\nstack' }, 'panic: nil map'],
    [
      'goes on behind a heading',
      { Message: 'Unexpected error:\n\n    <*Status>: gone' },
      'Unexpected error: <*Status>: gone',
    ],
    [
      'has the whole of a comparison',
      { Message: 'Expected\n    <int>: 440\nto be ==\n    <int>: 400' },
      'Expected <int>: 440 to be == <int>: 400',
    ],
    ['has no colours', { Message: '\u001b[1mfailed\u001b[0m' }, 'failed'],
    ['is cut', { Message: 'x'.repeat(400) }, `${'x'.repeat(299)}…`],
  ] as const)
    it(name, () => assert.equal(firstErrorLine(failure), expected));
});
