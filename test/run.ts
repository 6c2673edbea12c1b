// `coracle test [suite…]`: runs the suites of runner/suites.ts one after another and says what passed, what failed, what could not
// run here and why. The last line is `N passed, N failed, N skipped`; a check such as `types` counts as one test.
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endAll, runProgram } from './runner/process.ts';
import { bringTestPrograms, type TestPrograms } from './runner/programs.ts';
import { add, type Failure, formatCounts, lastLines, NOTHING, type Outcome, readReport } from './runner/report.ts';
import { type CheckSuite, type Suite, SUITES, type TestSuite } from './runner/suites.ts';

/** A file that takes longer says how far it is, so that nobody takes it for stuck. */
const PROGRESS_EVERY_MS = 30_000;
/** Of what a process with failures printed. */
const OUTPUT_LINES = 150;
const root = join(import.meta.dirname, '..');
const long = process.env['CORACLE_LONG'] === '1';
const echo = process.env['CORACLE_TEST_OUTPUT'] === '1';
const scratch = mkdtempSync(join(tmpdir(), 'coracle-test-'));
const say = (line: string) => void process.stdout.write(`${line}\n`);
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

interface SuiteResult {
  readonly suite: Suite;
  readonly outcome: Outcome;
  /** Why it could not run at all. */
  readonly refused?: string;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    endAll();
    say(`ended by ${signal}`);
    rmSync(scratch, { recursive: true, force: true });
    process.exit(130);
  });
}

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.filter((n) => !SUITES.some((s) => s.name === n));
  if (unknown.length > 0) {
    process.stderr.write(
      `coracle: no suite is called ${unknown.join(', ')}; there are ${SUITES.map((s) => s.name).join(', ')}\n`,
    );
    return 64;
  }
  const chosen = SUITES.filter((s) => names.length === 0 || names.includes(s.name));
  const started = performance.now();
  const programs = await prepare(chosen);
  const results: SuiteResult[] = [];
  for (const suite of chosen) results.push(await runSuite(suite, programs));

  const total = results.map((r) => r.outcome).reduce(add, NOTHING);
  if (total.failed > 0) {
    say('\nwhat failed:');
    for (const { suite, outcome } of results)
      for (const failure of outcome.failures) say(`  ${suite.name}: ${failure.name}`);
  }
  sayWhatDidNotRun(results);
  say(`\n${chosen.length} suites in ${seconds(performance.now() - started)}${long ? ', long' : ''}`);
  say(formatCounts(total));
  return total.failed > 0 ? 1 : 0;
}

/** Programs of other people are brought only when a chosen suite uses them. */
async function prepare(chosen: readonly Suite[]): Promise<TestPrograms> {
  const users = new Set(['integration', 'differential', 'store', 'kernel', 'e2e']);
  if (!chosen.some((s) => users.has(s.name))) return { env: {} };
  const at = performance.now();
  const programs = await bringTestPrograms(root, process.env['PATH'] ?? '', (line) => say(`prepare      ${line}`));
  say(
    `prepare      ${seconds(performance.now() - at)}${programs.lacks === undefined ? '' : `, no containers here: ${programs.lacks}`}`,
  );
  return programs;
}

async function runSuite(suite: Suite, programs: TestPrograms): Promise<SuiteResult> {
  const label = suite.name.padEnd(12);
  const refused = obstacle(suite, programs);
  if (refused !== undefined) {
    say(`${label} could not run here: ${refused}`);
    return { suite, outcome: { ...NOTHING, skipped: 1 }, refused };
  }
  const at = performance.now();
  const outcome = suite.kind === 'check' ? await runCheck(suite) : await runTests(suite, programs);
  say(`${label} ${seconds(performance.now() - at).padStart(8)}  ${formatCounts(outcome)}`);
  for (const failure of outcome.failures) sayFailure(failure);
  return { suite, outcome };
}

function obstacle(suite: Suite, programs: TestPrograms): string | undefined {
  if (suite.needs?.includes('root') === true && process.getuid?.() !== 0) return 'not root';
  if (suite.needs?.includes('containers') === true && programs.lacks !== undefined) return programs.lacks;
  if (suite.kind === 'tests' && suite.groups.every((globs) => filesOf(globs).length === 0))
    return 'it has no tests yet';
  return undefined;
}

async function runCheck(suite: CheckSuite): Promise<Outcome> {
  const [program, ...args] = suite.command;
  const ended = await runProgram(join(root, 'node_modules', '.bin', program), args, {
    timeoutMs: limitOf(suite),
    env: process.env,
    cwd: root,
    echo,
  });
  if (ended.problem === undefined) return { ...NOTHING, passed: 1 };
  return {
    ...NOTHING,
    failed: 1,
    failures: [{ name: suite.command.join(' '), where: '', text: lastLines(ended.output, 60) }],
  };
}

async function runTests(suite: TestSuite, programs: TestPrograms): Promise<Outcome> {
  const end = performance.now() + limitOf(suite);
  let sum = NOTHING;
  for (const [index, globs] of suite.groups.entries()) {
    const files = filesOf(globs);
    const isAlone = new Set(filesOf(suite.alone ?? []));
    const batches = suite.isolated === true ? files.map((f) => [f]) : [files];
    const run = async (batch: readonly string[], number: number) => {
      const report = join(scratch, `${suite.name}-${index}-${number}.jsonl`);
      const at = performance.now();
      const outcome = await runFiles(suite, batch, report, Math.max(1_000, end - performance.now()), programs);
      if (suite.isolated === true) say(`  ${batch[0]} ${seconds(performance.now() - at)}, ${formatCounts(outcome)}`);
      sum = add(sum, outcome);
    };
    const numbered = batches.map((batch, number) => ({ batch, number })).filter(({ batch }) => batch.length > 0);
    const shared = numbered.filter(({ batch }) => !isAlone.has(batch[0]!));
    const worker = async () => {
      for (let next = shared.shift(); next !== undefined; next = shared.shift()) await run(next.batch, next.number);
    };
    await Promise.all(Array.from({ length: suite.atOnce ?? 1 }, worker));
    for (const { batch, number } of numbered.filter(({ batch: b }) => isAlone.has(b[0]!))) await run(batch, number);
  }
  return sum;
}

async function runFiles(
  suite: TestSuite,
  files: readonly string[],
  report: string,
  timeoutMs: number,
  programs: TestPrograms,
): Promise<Outcome> {
  rmSync(report, { force: true });
  const args = [
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-isolation=none',
    `--test-reporter=${join(root, 'test', 'runner', 'reporter.ts')}`,
    `--test-reporter-destination=${report}`,
    ...files,
  ];
  const started = performance.now();
  const progress = setInterval(() => {
    const lines = (kind: string) => reportText(report).split(`{"kind":"${kind}"`).length - 1;
    say(
      `    … ${lines('pass')} passed, ${lines('fail')} failed after ${Math.round((performance.now() - started) / 1000)} s`,
    );
  }, PROGRESS_EVERY_MS);
  const ended = await runProgram(process.execPath, args, {
    timeoutMs,
    env: { ...process.env, ...programs.env, CORACLE_ROOT: root },
    cwd: root,
    echo,
  });
  clearInterval(progress);
  const name = files.length === 1 ? files[0]! : `${suite.name} (${files.length} files)`;
  const outcome = readReport(reportText(report), { ...ended, name });
  if (outcome.failed > 0 && ended.output.trim() !== '' && !echo) {
    say(`    ${name} printed, at its end:\n${lastLines(ended.output, OUTPUT_LINES).replace(/^/gm, '    | ')}`);
  }
  return outcome;
}

/** What the reporter has written so far; '' when the process died before its first test. */
function reportText(report: string): string {
  try {
    return readFileSync(report, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return '';
  }
}

const limitOf = (suite: Suite) =>
  suite.timeoutMinutes * 60_000 * (long && suite.kind === 'tests' ? (suite.longFactor ?? 1) : 1);
const filesOf = (globs: readonly string[]): string[] => globSync([...globs], { cwd: root }).toSorted();

function sayFailure(failure: Failure): void {
  const where = failure.where === '' ? '' : ` (${failure.where.replace(`${root}/`, '')})`;
  say(`\n  ✖ ${failure.name}${where}`);
  say(failure.text.replaceAll(`${root}/`, '').replace(/^/gm, '      '));
  say('');
}

function sayWhatDidNotRun(results: readonly SuiteResult[]): void {
  const lines: string[] = [];
  for (const { suite, outcome, refused } of results) {
    if (refused !== undefined) lines.push(`  ${suite.name}: ${refused}`);
    for (const [reason, names] of outcome.skips)
      lines.push(`  ${suite.name}, ${names.length === 1 ? names[0] : `${names.length} tests`}: ${reason}`);
  }
  if (lines.length > 0) say(`\nwhat could not run here:\n${lines.join('\n')}`);
}

process.exitCode = await main(process.argv.slice(2));
rmSync(scratch, { recursive: true, force: true });
