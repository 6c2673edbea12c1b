// Bundles the programs: the command line and its parts (code split, so that each loads only what it needs), the entry points of
// worker threads, and the probe that is started inside a pod's network. Every bundle gets a folder of its own below .build/, and
// .build/current names the newest: a running cluster goes on loading from the one it started with. Run by the launcher when sources
// are newer.
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';

const root = join(import.meta.dirname, '..');
const builds = join(root, '.build');
const startedAt = new Date();
const name = `${startedAt.getTime()}-${process.pid}`;
const out = join(builds, name);
mkdirSync(out, { recursive: true });

/** An ES import of node:http reads each of its exports, and some of them load a whole WebSocket and fetch client: one MiB of source and what
 * comes of it, in every process and thread. Behind a CommonJS module they are read when somebody uses them. */
const lightHttp: Plugin = {
  name: 'light-http',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:http$/ }, () => ({ path: 'node:http', namespace: 'light' }));
    onLoad({ filter: /.*/, namespace: 'light' }, () => ({
      contents: "module.exports = process.getBuiltinModule('node:http');",
    }));
  },
};

await build({
  absWorkingDir: root,
  entryPoints: {
    coracle: 'src/cli/main.ts',
    'store-worker': 'src/store/embedded/worker.ts',
    'control-worker': 'src/cluster/control-worker.ts',
    probe: 'src/cluster/probe-program.ts',
  },
  outdir: out,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node26',
  // ES modules first: a CommonJS build imported lazily would hide its names behind `default`.
  mainFields: ['module', 'main'],
  conditions: ['module', 'import'],
  // Sources are resident in every isolate that runs them. Names stay, so a stack says where; the maps say the line.
  minifyWhitespace: true,
  lineLimit: 160,
  sourcemap: 'linked',
  sourcesContent: false,
  logLevel: 'warning',
  plugins: [lightHttp],
  loader: { '.json': 'json' },
  // CommonJS dependencies inside an ES module still call require.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});
// The stamp is as old as the start: a file saved during the build makes the next one run again.
const stamp = join(out, 'stamp');
writeFileSync(stamp, '');
utimesSync(stamp, startedAt, startedAt);

const link = join(builds, 'current');
symlinkSync(name, `${link}.${process.pid}`);
renameSync(`${link}.${process.pid}`, link);
removeUnused();

/** Bundles that no process runs from. */
function removeUnused(): void {
  const running = commandLines();
  const keep = readlinkSync(link);
  for (const folder of readdirSync(builds)) {
    if (/^\d+-\d+$/.test(folder) && folder !== keep && !running.includes(`/${folder}/`))
      rmSync(join(builds, folder), { recursive: true, force: true });
  }
}

/** Of every process that can be seen; empty off Linux, where no cluster outlives its command. */
function commandLines(): string {
  let pids: string[];
  try {
    pids = readdirSync('/proc').filter((f) => /^\d+$/.test(f));
  } catch {
    return '';
  }
  return pids
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return ''; // it ended between two looks
      }
    })
    .join('\n');
}
