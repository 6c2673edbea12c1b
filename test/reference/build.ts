// `npm run reference [-- NAME…]`: builds the original programs from their Go modules into `.cache/reference/bin`, and containerd with
// runc into `.cache/reference/runtime`. May be interrupted and run again: what is there and current stays.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REFERENCE_BIN, REFERENCE_DIR, REFERENCE_VERSION } from './folder.ts';
import { goArguments, type Program, PROGRAMS, type ReferenceModule } from './programs.ts';
import { chosenPrograms, goProblem, type ModuleFiles, parseGoVersion, requiredGo, RUNTIME, stampOf } from './stamps.ts';

const TYPED_WRONG = 64;
const MISSING = 69;
const MEGABYTE = 1_000_000;
const STAMPS = join(REFERENCE_DIR, 'stamps');
const ROOT = join(import.meta.dirname, '..', '..');

const say = (line: string): void => console.log(line);
const { programs, runtime, unknown } = chosenPrograms(process.argv.slice(2));
if (unknown.length > 0) {
  console.error(
    `the reference has no ${unknown.join(', ')}; it has ${[...PROGRAMS.map((p) => p.name), RUNTIME].join(', ')}`,
  );
  process.exit(TYPED_WRONG);
}
const goOutput = spawnSync('go', ['version'], { encoding: 'utf8', env: { ...process.env, GOTOOLCHAIN: 'local' } });
const printed = goOutput.error === undefined ? goOutput.stdout : undefined;
const problem = goProblem(printed, requiredGo(filesOf('kubernetes').mod));
if (problem !== undefined) {
  console.error(problem);
  process.exit(MISSING);
}
const goVersion = parseGoVersion(printed!)!;

mkdirSync(REFERENCE_BIN, { recursive: true });
mkdirSync(STAMPS, { recursive: true });
for (const name of readdirSync(REFERENCE_BIN)) {
  if (/\.new-\d+$/.test(name) && !existsSync(`/proc/${name.split('-').at(-1)}`)) rmSync(join(REFERENCE_BIN, name));
}
/** The `go` that is at work, in a process group of its own; a signal ends it and then us. */
let current: ReturnType<typeof spawn> | undefined;
let unfinished: string | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // Its group: the compilers of `go` too.
    if (current?.pid !== undefined) process.kill(-current.pid, signal);
    if (unfinished !== undefined) rmSync(unfinished, { force: true });
    console.error('interrupted; `npm run reference` goes on where this ended');
    process.exit(signal === 'SIGINT' ? 130 : 143);
  });
}

const todo = programs.filter((p) => !isCurrent(p));
const kept = programs.length - todo.length;
if (kept > 0) say(`${kept} of ${programs.length} programs are there and current`);
if (todo.length > 0) say(`building ${todo.map((p) => p.name).join(', ')} with Go ${goVersion}; minutes the first time`);
for (const [i, program] of todo.entries()) await build(program, `[${i + 1}/${todo.length}]`);
if (runtime) await buildRuntime();
say(`the reference, Kubernetes ${REFERENCE_VERSION}, is in ${REFERENCE_BIN}`);

function filesOf(module: ReferenceModule): ModuleFiles {
  const read = (file: string): string => readFileSync(join(import.meta.dirname, module, file), 'utf8');
  return { mod: read('go.mod'), sum: read('go.sum') };
}

function stamp(program: Program): string {
  return stampOf(program, filesOf(program.module), goVersion);
}

function isCurrent(program: Program): boolean {
  const path = join(STAMPS, program.name);
  return (
    existsSync(join(REFERENCE_BIN, program.name)) && existsSync(path) && readFileSync(path, 'utf8') === stamp(program)
  );
}

async function build(program: Program, progress: string): Promise<void> {
  const target = join(REFERENCE_BIN, program.name);
  const output = `${target}.new-${process.pid}`;
  unfinished = output;
  process.stdout.write(`${progress} ${program.name.padEnd(24)}`);
  const from = performance.now();
  const code = await go(goArguments(program, output), join(import.meta.dirname, program.module));
  if (code !== 0) {
    rmSync(output, { force: true });
    console.error(`go ended with code ${code} while it built ${program.name} (${program.package}); see above`);
    process.exit(1);
  }
  // The old stamp goes first: were we to die between the two, the program would be built again.
  rmSync(join(STAMPS, program.name), { force: true });
  renameSync(output, target);
  writeFileSync(join(STAMPS, program.name), stamp(program));
  unfinished = undefined;
  const seconds = ((performance.now() - from) / 1000).toFixed(0);
  say(`${seconds.padStart(5)} s ${(statSync(target).size / MEGABYTE).toFixed(0).padStart(5)} MB`);
}

function go(args: readonly string[], cwd: string): Promise<number> {
  return ended(
    spawn('go', args, {
      cwd,
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' },
    }),
  );
}

/** containerd, runc and CNI plugins, by the same program that users have for it. */
async function buildRuntime(): Promise<void> {
  const folder = join(REFERENCE_DIR, 'runtime');
  say('containerd, runc and CNI plugins:');
  const code = await ended(
    spawn(process.execPath, [join(ROOT, 'tools', 'runtime', 'main.ts'), folder], {
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    }),
  );
  if (code !== 0) process.exit(code);
}

function ended(child: ReturnType<typeof spawn>): Promise<number> {
  current = child;
  return new Promise((resolve) => {
    child.on('error', () => resolve(127));
    child.on('close', (code) => {
      current = undefined;
      resolve(code ?? 1);
    });
  });
}
