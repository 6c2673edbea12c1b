// Every command of every example's README, typed as it stands there, in one shell a README, on one cluster. A command's block begins with
// `# N. what it shows`; a line `#=> text` after it is what its output contains. A line `Needs `program …`, … on this machine.` in the README
// names programs of the reader's own: where they are not, the README is skipped and says so.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { call, TestCluster } from './cluster.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const EXAMPLES = join(ROOT, 'examples');
const README_TIMEOUT_MS = 300_000;
/** Between the outputs of two steps; nothing prints it by chance. */
const MARK = '\u0001step';

interface Step {
  readonly number: number;
  readonly says: string;
  readonly lines: string;
  readonly shows: readonly string[];
}

function stepsOf(readme: string): readonly Step[] {
  const block = /```sh\n([\s\S]*?)```/.exec(readFileSync(readme, 'utf8'))?.[1] ?? '';
  return block
    .split(/^(?=# \d+\. )/m)
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const [head, ...rest] = part.trimEnd().split('\n');
      const [, number, says] = /^# (\d+)\. (.*)$/.exec(head!)!;
      const isShown = (line: string) => line.startsWith('#=>');
      return {
        number: Number(number),
        says: says!,
        lines: rest.filter((line) => !isShown(line)).join('\n'),
        shows: rest.filter(isShown).map((line) => line.slice(3).trim()),
      };
    });
}

/** Commands that fail here, of those that the README says it needs. */
function lacks(readme: string): readonly string[] {
  const line = /^Needs (.*) on this machine\.$/m.exec(readFileSync(readme, 'utf8'))?.[1] ?? '';
  const commands = [...line.matchAll(/`([^`]+)`/g)].map(([, command]) => command!);
  return commands.filter((command) => spawnSync('bash', ['-c', command], { stdio: 'ignore' }).status !== 0);
}

const folders = readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' })
  .filter((f) => f.endsWith('README.md') && existsSync(join(EXAMPLES, f)))
  .map((f) => f.slice(0, -'/README.md'.length))
  .toSorted();

describe('the examples', { skip: process.getuid?.() !== 0 && 'needs root', timeout: 1_500_000 }, () => {
  let cluster: TestCluster;
  let failed = false;
  before(async () => {
    ({ cluster } = await TestCluster.up());
  });
  after(async () => {
    if (failed) process.stderr.write(`${await cluster.explain()}\n`);
    await cluster?.down();
  });

  for (const folder of folders) {
    const missing = lacks(join(EXAMPLES, folder, 'README.md'));
    const skip = missing.length > 0 && `needs ${missing.join(', ')}`;
    describe(`examples/${folder}`, { skip }, () => {
      const steps = stepsOf(join(EXAMPLES, folder, 'README.md'));
      let outputs: readonly string[] = [];

      before(async () => {
        const script = steps.map(({ lines }) => `printf '\\n${MARK}\\n'\n${lines}\n`).join('');
        const env = {
          ...process.env,
          CORACLE_NAME: cluster.name,
          KUBECONFIG: join(cluster.folder, 'kubeconfig'),
          PAGER: 'cat',
        };
        // A shell that has been given a script on its input reads it as it goes, like a reader who types.
        const run = `cd '${ROOT}' && exec 2>&1; set -m 2>/dev/null\n${script}`;
        const { stdout } = await call('bash', ['-c', run], { timeoutMs: README_TIMEOUT_MS }, env);
        outputs = stdout.split(`${MARK}\n`).slice(1);
      });

      it('has steps, numbered in order', () => {
        assert.ok(steps.length > 0);
        assert.deepEqual(
          steps.map((s) => s.number),
          steps.map((_, i) => i + 1),
        );
      });
      for (const [i, { number, says, shows }] of steps.entries()) {
        it(`${number}. ${says}`, () => {
          const output = outputs[i] ?? 'the step was not reached';
          for (const text of shows) {
            failed ||= !output.includes(text);
            assert.ok(output.includes(text), `"${text}" is not in the output:\n${output}`);
          }
        });
      }
    });
  }
});
