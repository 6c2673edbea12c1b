// npm run differential -- record | replay | live: asks the original, Coracle, or both. CONTRIBUTING.md says when.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AREAS } from './areas.ts';
import type { AreaDefinition } from './engine/area.ts';
import { addCounts, countCases } from './engine/count.ts';
import { startCoracle } from './engine/coracle-server.ts';
import { differences, describeDifference } from './engine/compare.ts';
import { differentialDocument } from './engine/document.ts';
import { readLists, writeTodo } from './engine/lists.ts';
import { type RecordedCase, readRecorded, writeRecorded } from './engine/recorded.ts';
import { startReference } from './engine/reference-server.ts';
import { causes, details, lastLines, table } from './engine/report.ts';
import { type Answers, askArea, type Choose, isFailure, type Judged, judge } from './engine/run.ts';
import type { DiffServer } from './engine/server.ts';

const USAGE = `usage: npm run differential -- record | replay | live | count [options] [words]

  record        asks the original (npm run reference) and writes test/differential/recorded/
  replay        asks Coracle and compares with the record
  live          asks both and compares; writes nothing
  count         what is recorded, alike cases counted once

Words choose cases: those whose id has one of them (/like this/ is a regular expression).

  --area NAME   only this area (several with commas)
  --check       record: ask a second original as well, and name the cases whose answers are not the same twice
  --missing     record: only cases without an answer
  --causes      group the differing cases by their first difference
  --write-todo  replay: write the differing cases into test/differential/todo.txt
  --write       replay: write docs/differential.md
  -v            all differences of each case, whole
  -a            differences of listed cases too
`;

const DOCUMENT = join(import.meta.dirname, '..', '..', 'docs', 'differential.md');
const say = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      area: { type: 'string' },
      check: { type: 'boolean', default: false },
      missing: { type: 'boolean', default: false },
      causes: { type: 'boolean', default: false },
      'write-todo': { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      verbose: { type: 'boolean', short: 'v', default: false },
      all: { type: 'boolean', short: 'a', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const [command, ...words] = positionals;
  if (values.help || command === undefined || !['record', 'replay', 'live', 'count'].includes(command)) {
    process.stdout.write(USAGE);
    return values.help ? 0 : 64;
  }
  const names = values.area?.split(',');
  const unknown = names?.filter((n) => !AREAS.some((a) => a.name === n)) ?? [];
  if (unknown.length > 0) {
    process.stderr.write(`no area is called ${unknown.join(', ')}; there are ${AREAS.map((a) => a.name).join(', ')}\n`);
    return 64;
  }
  const areas = AREAS.filter((a) => names?.includes(a.name) ?? true);
  const choose = chooser(words);
  if (command === 'count') return count(areas);
  if (command === 'record') return await record(areas, choose, values);

  const judged = command === 'replay' ? await replay(areas, choose) : await live(areas, choose);
  if (values['write-todo'] && command === 'replay') {
    const different = new Set(judged.filter((j) => j.verdict === 'new' || j.verdict === 'todo').map((j) => j.id));
    const known = new Set((await Promise.all(AREAS.map((a) => a.ids()))).flat().map((c) => c.id));
    const count = writeTodo(new Set(judged.map((j) => j.id)), different, (id) => known.has(id));
    say(`todo.txt has ${count} cases`);
  }
  if (values.write && command === 'replay') writeDocument(judged, areas);
  if (values.causes) for (const line of causes(judged)) say(line);
  else
    for (const one of judged.filter((j) => isFailure(j.verdict) || (values.all && j.verdict !== 'equal')))
      for (const line of details(one, values.verbose)) say(line);
  for (const line of [...table(judged), '', ...lastLines(judged)]) say(line);
  return judged.some((j) => isFailure(j.verdict)) ? 1 : 0;
}

function writeDocument(judged: readonly Judged[], areas: readonly AreaDefinition[]): void {
  const counts = areas.map((a) => countCases(a.name, readRecorded(a.name)));
  const commit = execFileSync('git', ['rev-parse', '--short=10', 'HEAD'], { encoding: 'utf8' }).trim();
  const date = new Date().toISOString().slice(0, 10);
  writeFileSync(DOCUMENT, differentialDocument(judged, [...counts, addCounts(counts)], { commit, date }));
}

function count(areas: readonly AreaDefinition[]): number {
  const counts = areas.map((a) => countCases(a.name, readRecorded(a.name)));
  for (const c of [...counts, addCounts(counts)]) {
    const share = `${Math.round((100 * c.good) / c.answers)} % of ${c.answers} answers are good`;
    say(`${c.area.padEnd(11)} ${c.cases} cases, ${c.different} different (${c.writes} writes), ${share}`);
  }
  return 0;
}

function chooser(words: readonly string[]): Choose {
  if (words.length === 0) return () => true;
  const tests = words.map((word): Choose => {
    const pattern = /^\/(.*)\/$/.exec(word)?.[1];
    if (pattern === undefined) return (id) => id.includes(word);
    const regex = new RegExp(pattern);
    return (id) => regex.test(id);
  });
  return (id) => tests.some((t) => t(id));
}

async function withServer<T>(start: () => Promise<DiffServer>, use: (server: DiffServer) => Promise<T>): Promise<T> {
  const server = await start();
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

type Start = (area: AreaDefinition) => Promise<DiffServer>;
const original: Start = (area) => (area.servers?.reference ?? startReference)((line) => say(`  ${line}`));
const coracle: Start = (area) => (area.servers?.coracle ?? startCoracle)();
const seconds = (fromMs: number) => `${((performance.now() - fromMs) / 1000).toFixed(1)} s`;

/** Each area on a server of its own, so that one cannot fill the other's; those that bring a whole cluster mostly wait, so they run beside. */
async function ask(areas: readonly AreaDefinition[], start: Start, choose: Choose) {
  const out = new Map<AreaDefinition, Answers>();
  const askOne = async (area: AreaDefinition) => {
    if (!(await area.ids()).some((c) => choose(c.id))) return;
    const at = performance.now();
    const answers = await withServer(
      () => start(area),
      (server) => askArea(area, server, choose),
    );
    say(`  ${area.name}: ${answers.size} cases in ${seconds(at)}`);
    out.set(area, answers);
  };
  const inTurn = async () => {
    for (const area of areas.filter((a) => a.servers === undefined)) await askOne(area);
  };
  await Promise.all([inTurn(), ...areas.filter((a) => a.servers !== undefined).map(askOne)]);
  return new Map(areas.flatMap((area) => (out.has(area) ? [[area, out.get(area)!]] : [])));
}

async function replay(areas: readonly AreaDefinition[], choose: Choose): Promise<Judged[]> {
  const lists = readLists();
  const answered = await ask(areas, coracle, choose);
  return [...answered].flatMap(([area, answers]) => judge(area.name, readRecorded(area.name), answers, lists));
}

async function live(areas: readonly AreaDefinition[], choose: Choose): Promise<Judged[]> {
  const lists = readLists();
  const reference = await ask(areas, original, choose);
  const ours = await ask(areas, coracle, choose);
  return [...ours].flatMap(([area, answers]) =>
    judge(area.name, new Map([...reference.get(area)!].filter(([, a]) => a.error === undefined)), answers, lists),
  );
}

async function record(
  areas: readonly AreaDefinition[],
  choose: Choose,
  options: { readonly check: boolean; readonly missing: boolean },
): Promise<number> {
  let failures = 0;
  for (const area of areas) {
    const before = readRecorded(area.name);
    const ids = await area.ids();
    const known = new Map(ids.map((c) => [c.id, c.hash]));
    const chosen: Choose = (id) => choose(id) && !(options.missing && before.get(id)?.hash === known.get(id));
    const answers = (await ask([area], original, chosen)).get(area) ?? new Map();
    const again = options.check ? (await ask([area], original, chosen)).get(area) : undefined;
    const after = new Map<string, RecordedCase>([...before].filter(([id]) => known.has(id)));
    for (const [id, { hash, answers: given, error }] of answers) {
      const twice = again?.get(id);
      const unsteady = twice === undefined ? [] : differences(given, twice.answers);
      if (error === undefined) after.set(id, { hash, answers: given });
      if (error === undefined && unsteady.length === 0) continue;
      failures++;
      say(`${id}\n    ${error ?? `not the same twice: ${describeDifference(unsteady[0]!, 300)}`}`);
    }
    if (answers.size === 0 && after.size === before.size) continue;
    const bytes = writeRecorded(area.name, after);
    const missing = ids.filter((c) => after.get(c.id)?.hash !== c.hash).length;
    say(
      `${area.name}: ${after.size} cases recorded, ${(bytes / 1e6).toFixed(2)} MB${missing > 0 ? `, ${missing} of the area still not` : ''}`,
    );
  }
  return failures > 0 ? 1 : 0;
}

process.exitCode = await main();
// Sockets of a server that was stopped may linger.
process.exit();
