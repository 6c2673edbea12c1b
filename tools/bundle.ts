// Bundles the programs into .build/: the command line and its parts (code split, so that each loads only what it
// needs) and the entry points of worker threads. Run by the launcher when sources are newer than .build/stamp.
import { rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const out = join(root, '.build');
const startedAt = new Date();
rmSync(out, { recursive: true, force: true });

await build({
  absWorkingDir: root,
  entryPoints: {
    coracle: 'src/cli/main.ts',
    'store-worker': 'src/store/embedded/worker.ts',
    'control-worker': 'src/cluster/control-worker.ts',
  },
  outdir: out,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node26',
  sourcemap: 'linked',
  sourcesContent: false,
  logLevel: 'warning',
  loader: { '.json': 'json' },
  // CommonJS dependencies inside an ES module still call require.
  banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
});
// The stamp is as old as the start: a file saved during the build makes the next one run again.
const stamp = join(out, 'stamp');
writeFileSync(stamp, '');
utimesSync(stamp, startedAt, startedAt);
