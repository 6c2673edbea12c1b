// Finds a containerd ≥ 2 with a runc ≥ 1.2, which a stable Debian has not: what CORACLE_RUNTIME_DIR names, or where
// `npm run runtime` builds one. Tests that need it say loudly when there is none.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_DIR } from '../../tools/runtime/folder.ts';

/** Folder for `up --runtime-dir`; undefined when neither is there or new enough. */
export function findNewRuntime(): string | undefined {
  const named = process.env['CORACLE_RUNTIME_DIR'];
  return [named, DEFAULT_DIR].find(
    (dir) =>
      dir !== undefined &&
      isAtLeast(join(dir, 'usr/bin/containerd'), [2, 0]) &&
      isAtLeast(join(dir, 'usr/bin/runc'), [1, 2]),
  );
}

/** Why the tests are skipped, in a line that nobody overlooks; false when they can run. */
export function lacksNewRuntime(what: string): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  if (findNewRuntime() !== undefined) return false;
  const why = `NOT TESTED: ${what} needs containerd 2 and runc 1.2; build them with: npm run runtime`;
  process.stderr.write(`\n*** ${why} ***\n\n`);
  return why;
}

function isAtLeast(program: string, [major, minor]: readonly [number, number]): boolean {
  if (!existsSync(program)) return false;
  const said = spawnSync(program, ['--version']).stdout.toString();
  const version = / v?(\d+)\.(\d+)\.\d+/.exec(said);
  if (version === null) return false;
  const [a, b] = [Number(version[1]), Number(version[2])];
  return a > major || (a === major && b >= minor);
}
