// Where the original programs stand: `.cache/reference/bin` of the checkout, which `npm run reference` fills, or the folder
// that $CORACLE_REFERENCE names. Nothing here builds or starts anything.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The release that Coracle is compared with. */
export const REFERENCE_VERSION = '1.36.3';

/** Ignored by git; modules, stamps and programs of the reference. */
export const REFERENCE_DIR = join(import.meta.dirname, '..', '..', '.cache', 'reference');
export const REFERENCE_BIN = join(REFERENCE_DIR, 'bin');

/** A program is not built yet. */
export class ReferenceMissingError extends Error {
  readonly code = 'ReferenceMissing';
  readonly programs: readonly string[];
  constructor(programs: readonly string[]) {
    super(
      `${programs.join(', ')} of the reference ${programs.length === 1 ? 'is' : 'are'} not built: run \`npm run reference\`, or name a folder that has ${programs.length === 1 ? 'it' : 'them'} in CORACLE_REFERENCE`,
    );
    this.programs = programs;
  }
}

/** The paths of the programs by name; throws ReferenceMissingError with all that are nowhere. */
export function findPrograms<Name extends string>(names: readonly Name[]): Readonly<Record<Name, string>> {
  const named = process.env.CORACLE_REFERENCE;
  const folders = [REFERENCE_BIN, ...(named === undefined || named === '' ? [] : [resolve(named)])];
  const found: Partial<Record<Name, string>> = {};
  for (const name of names) {
    const folder = folders.find((f) => existsSync(join(f, name)));
    if (folder !== undefined) found[name] = join(folder, name);
  }
  const missing = names.filter((name) => found[name] === undefined);
  if (missing.length > 0) throw new ReferenceMissingError(missing);
  return found as Record<Name, string>;
}

/** Whether all of these are there. */
export function havePrograms(names: readonly string[]): boolean {
  try {
    findPrograms(names);
    return true;
  } catch (error) {
    if (error instanceof ReferenceMissingError) return false;
    throw error;
  }
}
