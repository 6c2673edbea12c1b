// The README's story, typed as it stands there, on a cluster of its own.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { call, TestCluster } from './cluster.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const STEP_TIMEOUT_MS = 120_000;
/** `timeout` ends what would go on for ever. */
const FORWARD_SECONDS = 4;

interface Step {
  readonly number: number;
  readonly says: string;
  readonly line: string;
}

/** `# N. what it shows`, then the command. */
function steps(): readonly Step[] {
  const story = readFileSync(join(ROOT, 'README.md'), 'utf8').split('## The article')[1]!;
  const block = /```sh\n([\s\S]*?)```/.exec(story)![1]!;
  return [...block.matchAll(/^# (\d+)\. (.*)\n(.*)$/gm)].map(([, number, says, line]) => ({
    number: Number(number),
    says: says!,
    line: line!,
  }));
}

/** What a reader expects to see, by step. */
const SHOWS: Readonly<Record<number, RegExp>> = {
  2: /statefulset\.apps\/postgres (created|unchanged)/,
  3: /partitioned roll out complete|successfully rolled out/,
  4: /hangs, as the article says/,
  5: /"customer_id"/,
  6: /10\.96\.42\.7/,
  7: /no policy lets loki in/,
  8: /a node gets through/,
  9: /"postgres-0" deleted/,
  10: /Forwarding from 127\.0\.0\.1:15432/,
};

describe('the README’s story', { skip: process.getuid?.() !== 0 && 'needs root', timeout: 600_000 }, () => {
  let cluster: TestCluster;
  before(async () => {
    ({ cluster } = await TestCluster.up());
  });
  after(async () => {
    await cluster?.down();
  });

  it('has ten steps', () =>
    assert.deepEqual(
      steps().map((s) => s.number),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    ));

  for (const { number, says, line } of steps()) {
    it(`${number}. ${says}`, { timeout: STEP_TIMEOUT_MS + 10_000 }, async () => {
      const isForward = line.includes('port-forward');
      if (isForward) await cluster.ready('db', 'postgres-0');
      const env = { ...process.env, CORACLE_NAME: cluster.name, KUBECONFIG: join(cluster.folder, 'kubeconfig') };
      const typed = isForward ? `timeout ${FORWARD_SECONDS} ${line}` : line;
      const output = await call('bash', ['-c', `cd '${ROOT}'; ${typed}`], { timeoutMs: STEP_TIMEOUT_MS }, env);
      const shown = `${output.stdout}\n${output.stderr}`;
      assert.equal(output.code, isForward ? 124 : 0, shown);
      assert.match(shown, SHOWS[number] ?? /./);
    });
  }
});
