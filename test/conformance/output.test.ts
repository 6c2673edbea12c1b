import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OutputReader } from './output.ts';
import type { Result } from './report.ts';

const read = (text: string): Result[] => {
  const found: Result[] = [];
  const reader = new OutputReader((r) => found.push(r));
  for (const line of text.split('\n')) reader.line(line);
  return found;
};

const OUTPUT = `Running in parallel across 2 processes
------------------------------
• [1.234 seconds]
[sig-x] Things [Slow] should work [Conformance]
example.test/x.go:12

  Timeline >>
  STEP: one
  << Timeline
------------------------------
• [FAILED] [3.000 seconds]
[sig-x] Things [It] should break [Conformance] [sig-x, Conformance]
example.test/x.go:20

  Timeline >>
  [FAILED] in [It] - x.go:22
  << Timeline

  [FAILED] expected 1
  to equal 2
  In [It] at: x.go:22
------------------------------
S [SKIPPED] [0.010 seconds]
[sig-x] Things [It] should not be for us
------------------------------
• [INTERRUPTED] [9.000 seconds]
[sig-x] Things should have taken longer [Conformance]
------------------------------
• [0.100 seconds]
[sig-x] Things cut off [Conformance]
`;

describe('OutputReader', () => {
  it('knows what a failure said', () => assert.equal(read(OUTPUT)[1]?.error, 'expected 1'));

  it('tells what passed and failed, and nothing of what was interrupted, cut off or not for conformance', () =>
    assert.deepEqual(
      read(OUTPUT).map((r) => [r.name, r.outcome, r.seconds]),
      [
        ['[sig-x] Things [Slow] should work [Conformance]', 'passed', 1.234],
        ['[sig-x] Things should break [Conformance]', 'failed', 3],
      ],
    ));
});
