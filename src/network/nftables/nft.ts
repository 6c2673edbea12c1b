// The node's door to nftables: whole tables at start, elements afterwards. Only tables of our own are touched, and
// nothing is read back but counters. A fake for tests stands in fake-nft.ts.
import type { Run } from '#host/process.ts';
import { mustRun } from '#host/process.ts';
import { writeFileAtomic } from '#host/files.ts';
import { FAMILIES, type Family } from '#netmodel/family.ts';
import { renderChanges, renderTable } from '#netmodel/render.ts';
import type { Element, ElementChanges, Table } from '#netmodel/rules.ts';

export interface ElementCounter {
  readonly key: string;
  readonly packets: number;
  readonly bytes: number;
}

export interface Nft {
  /** Puts the table in place of one with its name, in one transaction. */
  load(table: Table, elements: readonly Element[]): Promise<void>;
  /** All or nothing; throws when the kernel refuses, and then nothing has changed. */
  change(changes: ElementChanges): Promise<void>;
  /** Removes the table; nothing to do when it is not there. */
  remove(table: string, family?: Family): Promise<void>;
  /** Counters of a set whose elements count. */
  counters(table: string, set: string, family?: Family): Promise<readonly ElementCounter[]>;
}

export interface NftProgramDeps {
  readonly run: Run;
  /** The program, a name in PATH or a path. */
  readonly nft: string;
  /** A private folder for scripts: nft cannot read the pipes that Node gives a child as its input. */
  readonly folder: string;
}

/** nft as a program, one process a transaction. Callers keep to one transaction a table at a time. */
export class NftProgram implements Nft {
  readonly #deps: NftProgramDeps;

  constructor(deps: NftProgramDeps) {
    this.#deps = deps;
  }

  load(table: Table, elements: readonly Element[]): Promise<void> {
    return this.#apply(fileOf(table.name, table.family), renderTable(table, elements));
  }

  async change(changes: ElementChanges): Promise<void> {
    if (changes.remove.length + changes.add.length > 0)
      await this.#apply(fileOf(changes.table, changes.family), renderChanges(changes));
  }

  remove(table: string, family: Family = 4): Promise<void> {
    const name = `${FAMILIES[family].nft} ${table}`;
    return this.#apply(fileOf(table, family), `add table ${name}\ndelete table ${name}\n`);
  }

  async counters(table: string, set: string, family: Family = 4): Promise<readonly ElementCounter[]> {
    const text = await mustRun(this.#deps.run, this.#deps.nft, [
      '-nn',
      'list',
      'set',
      FAMILIES[family].nft,
      table,
      set,
    ]);
    return [...text.matchAll(/([^\s{},][^{},]*?) counter packets (\d+) bytes (\d+)/g)].map((m) => ({
      key: m[1]!.trim(),
      packets: Number(m[2]),
      bytes: Number(m[3]),
    }));
  }

  /** One file a table, since one transaction a table is in flight; the last stays for whoever looks into it. */
  async #apply(file: string, script: string): Promise<void> {
    const path = `${this.#deps.folder}/${file}`;
    writeFileAtomic(path, script, 0o600);
    await mustRun(this.#deps.run, this.#deps.nft, ['-f', path]);
  }
}

const fileOf = (table: string, family: Family = 4): string =>
  family === 4 ? `${table}.nft` : `${FAMILIES[family].nft}-${table}.nft`;
