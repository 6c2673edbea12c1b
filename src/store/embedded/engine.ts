// The database of the embedded store: one SQLite file, one row a revision. Synchronous; runs in the store's own thread (or, in
// simulation, in the only one). Every method throws StoreError or CompactedError.
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { ensureFolder, readTextIfExists, writeFileAtomic } from '#host/files.ts';
import { realFileSystem } from '#host/file-system.ts';
import { CompactedError, StoreError } from '../store.ts';
import type { Row } from './protocol.ts';

/** Version of the layout on disk. Raise it with every change, and migrate or refuse what is older. */
export const FORMAT = 1;
const FORMAT_TEXT = (format: number) => `coracle store format ${format}\n`;
/** "Corc": says in the file itself whose it is. */
const APPLICATION_ID = 0x436f7263;
/** Databases up to here are checked whole at start (a few milliseconds per ten megabytes). */
const CHECKED_AT_START_BYTES = 64 << 20;
/** Revisions swept in one transaction of a compaction: keeps each step in the low milliseconds. */
const SWEPT_AT_ONCE = 1_000;

const SCHEMA = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
  INSERT INTO meta VALUES ('compacted', 0), ('swept', 0);
  CREATE TABLE revisions (
    revision INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    value BLOB,
    create_revision INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    checksum INTEGER NOT NULL
  );
  CREATE INDEX revisions_by_key ON revisions (key, revision);
`;

const COLUMNS = (table: string) =>
  ['revision', 'key', 'value', 'create_revision', 'previous', 'expires_ms', 'checksum']
    .map((c) => `${table}.${c}`)
    .join(', ');

type Columns = [number, string, Uint8Array | null, number, number, number, number];

export class SqliteEngine {
  readonly #directory: string;
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #list: StatementSync;
  readonly #history: StatementSync;
  #compacted: number;
  #swept: number;
  #revision: number;

  /** Takes the directory's lock, which dies with the process. `pid` is told to whoever finds it locked. */
  static open(directory: string, pid: number): SqliteEngine {
    ensureFolder(directory, 0o700);
    const format = readTextIfExists(`${directory}/format`);
    if (format !== undefined && format !== FORMAT_TEXT(FORMAT)) throw wrongFormat(directory, format.trim());
    const path = `${directory}/store.db`;
    const size = realFileSystem.stat(path)?.size;
    if (format !== undefined && size === undefined) {
      throw new StoreError(
        'Corrupt',
        `${path} is missing, but ${directory} holds a store. Restore the file, or remove the directory to start empty.`,
      );
    }
    if (format !== undefined && size === 0) throw corrupt(path, 'the file is empty');
    let db: DatabaseSync | undefined;
    try {
      db = new DatabaseSync(path, { timeout: 0 });
      const engine = new SqliteEngine(directory, db, size ?? 0);
      writeFileAtomic(`${directory}/holder`, `${pid}\n`, 0o600);
      if (format === undefined) writeFileAtomic(`${directory}/format`, FORMAT_TEXT(FORMAT), 0o600);
      return engine;
    } catch (error) {
      try {
        db?.close();
      } catch {
        // What is told is why it could not be opened.
      }
      throw storeError(error, directory);
    }
  }

  private constructor(directory: string, db: DatabaseSync, size: number) {
    this.#directory = directory;
    this.#db = db;
    // Set before the first access: the lock is taken at once and kept, and no shared-memory file is needed.
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    if (size === 0) db.exec('PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL');
    const version = Number(db.prepare('PRAGMA user_version').get()!['user_version']);
    const owner = Number(db.prepare('PRAGMA application_id').get()!['application_id']);
    const tables = Number(db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()!['n']);
    if (tables > 0 && owner !== APPLICATION_ID) throw wrongFormat(directory, 'a database of another program');
    if (tables > 0 && version !== FORMAT) throw wrongFormat(directory, `coracle store format ${version}`);
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384; PRAGMA journal_size_limit = 16777216',
    );
    // A write, even of nothing new, takes the exclusive lock now and not at the first commit.
    db.exec(
      `BEGIN EXCLUSIVE; ${tables === 0 ? SCHEMA : ''} PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT}; COMMIT`,
    );
    if (size > 0 && size <= CHECKED_AT_START_BYTES) {
      const verdict = String(db.prepare('PRAGMA quick_check(1)').get()!['quick_check']);
      if (verdict !== 'ok') throw corrupt(`${directory}/store.db`, verdict);
    }
    this.#compacted = this.#meta('compacted');
    this.#swept = this.#meta('swept');
    const newest = db.prepare('SELECT max(revision) AS r FROM revisions').get()!['r'];
    // A compacted deletion may have been the newest row: the counter never goes back.
    this.#revision = Math.max(Number(newest ?? 0), this.#compacted);
    this.#insert = db.prepare('INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?, ?)');
    this.#list = rows(
      db.prepare(`SELECT ${COLUMNS('r')} FROM revisions r WHERE r.key >= ?1 AND r.key < ?2 AND r.revision <= ?3 AND r.value IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM revisions n WHERE n.key = r.key AND n.revision > r.revision AND n.revision <= ?3)
        ORDER BY r.key LIMIT ?4`),
    );
    // The unary plus keeps the planner on the revisions, of which few are asked for at a time.
    this.#history = rows(
      db.prepare(`SELECT ${COLUMNS('r')}, ${COLUMNS('p')} FROM revisions r LEFT JOIN revisions p ON p.revision = r.previous
        WHERE r.revision > ?3 AND r.revision <= ?4 AND +r.key >= ?1 AND +r.key < ?2 ORDER BY r.revision`),
    );
  }

  get revision(): number {
    return this.#revision;
  }

  get compacted(): number {
    return this.#compacted;
  }

  /** The newest value of every key that is there, in order of keys. */
  *newest(): IterableIterator<Row> {
    const statement = rows(
      this.#db.prepare(`SELECT ${COLUMNS('r')} FROM (SELECT max(revision) AS newest FROM revisions GROUP BY key) k
        JOIN revisions r ON r.revision = k.newest WHERE r.value IS NOT NULL`),
    );
    try {
      for (const columns of statement.iterate()) yield this.#row(columns as unknown as Columns);
    } catch (error) {
      throw storeError(error, this.#directory);
    }
  }

  /** Writes all rows in one transaction; when it returns they are on disk. */
  write(batch: readonly Row[]): void {
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      for (const row of batch) {
        const { revision, key, value, createRevision, previous, expiresMs } = row;
        this.#insert.run(revision, key, value ?? null, createRevision, previous, expiresMs, checksumOf(row));
      }
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#rollback();
      throw storeError(error, this.#directory);
    }
    this.#revision = batch.at(-1)!.revision;
  }

  /** The keys in [from, to) as they stood at `revision`. */
  list(from: string, to: string, revision: number, limit: number): Row[] {
    if (revision < this.#compacted) throw new CompactedError(this.#compacted);
    return this.#read(() => this.#list.all(from, to, revision, limit).map((c) => this.#row(c as unknown as Columns)));
  }

  /** The changes of keys in [from, to) with after < revision <= upTo, each with what stood there before. */
  history(from: string, to: string, after: number, upTo: number): { row: Row; previous: Row | undefined }[] {
    if (after < this.#compacted) throw new CompactedError(this.#compacted);
    return this.#read(() =>
      this.#history.all(from, to, after, upTo).map((found) => {
        const columns = found as unknown as unknown[];
        const row = this.#row(columns.slice(0, 7) as Columns);
        if (row.previous === 0) return { row, previous: undefined };
        if (columns[7] === null) throw corrupt(`${this.#directory}/store.db`, `revision ${row.previous} is missing`);
        return { row, previous: this.#row(columns.slice(7) as Columns) };
      }),
    );
  }

  /** From now on, also after a crash, nothing below `revision` can be read. The space comes back by `sweep`. */
  compact(revision: number): void {
    if (revision <= this.#compacted) return;
    this.#read(() => this.#db.prepare(`UPDATE meta SET value = ? WHERE name = 'compacted'`).run(revision));
    this.#compacted = revision;
  }

  /** Removes a step of what the compaction made unreadable; true while there is more. */
  sweep(): boolean {
    if (this.#swept >= this.#compacted) return false;
    const low = this.#swept;
    const high = Math.min(this.#compacted, low + SWEPT_AT_ONCE);
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      // Dead is what a change up to the compaction replaced, and the deletions themselves.
      this.#db
        .prepare(
          'DELETE FROM revisions WHERE revision IN (SELECT previous FROM revisions WHERE revision > ?1 AND revision <= ?2 AND previous > 0)',
        )
        .run(low, high);
      this.#db.prepare('DELETE FROM revisions WHERE revision > ?1 AND revision <= ?2 AND value IS NULL').run(low, high);
      this.#db.prepare(`UPDATE meta SET value = ? WHERE name = 'swept'`).run(high);
      this.#db.exec('COMMIT');
      this.#swept = high;
      if (high >= this.#compacted) this.#db.exec('PRAGMA incremental_vacuum');
    } catch (error) {
      this.#rollback();
      throw storeError(error, this.#directory);
    }
    return this.#swept < this.#compacted;
  }

  close(): void {
    realFileSystem.unlink(`${this.#directory}/holder`);
    this.#db.close();
  }

  #rollback(): void {
    try {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
    } catch {
      // SQLite has rolled back by itself; the first error is the one to tell.
    }
  }

  #meta(name: string): number {
    const row = this.#db.prepare('SELECT value FROM meta WHERE name = ?').get(name);
    if (row === undefined) throw corrupt(`${this.#directory}/store.db`, `its ${name} revision is missing`);
    return Number(row['value']);
  }

  #read<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw storeError(error, this.#directory);
    }
  }

  #row([revision, key, value, createRevision, previous, expiresMs, checksum]: Columns): Row {
    const row: Row = { revision, key, value: value ?? undefined, createRevision, previous, expiresMs };
    if (checksumOf(row) !== checksum)
      throw corrupt(`${this.#directory}/store.db`, `revision ${revision} (${key}) does not match its checksum`);
    return row;
  }
}

function rows(statement: StatementSync): StatementSync {
  statement.setReturnArrays(true);
  return statement;
}

function checksumOf(row: Row): number {
  const head = crc32(
    `${row.revision}\0${row.key}\0${row.createRevision}\0${row.previous}\0${row.expiresMs}\0${row.value === undefined ? 'deleted' : ''}`,
  );
  return row.value === undefined ? head : crc32(row.value, head);
}

function wrongFormat(directory: string, found: string): StoreError {
  return new StoreError(
    'WrongFormat',
    `${directory} holds ${JSON.stringify(found)}, this program reads "${FORMAT_TEXT(FORMAT).trim()}". Use the version that wrote it, or another data directory. Nothing was changed.`,
  );
}

function corrupt(path: string, why: string): StoreError {
  return new StoreError(
    'Corrupt',
    `${path} is damaged: ${why}. Restore it from a backup, or remove the data directory to start empty.`,
  );
}

/** SQLite's primary result codes that mean something to a user. */
const BUSY = 5;
const LOCKED = 6;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const NOTADB = 26;
/** Extended codes of IOERR that a full disk causes while a file is made. */
const IOERR_SHMSIZE = 4874;

/** SQLite's errors as ours: BUSY → Locked (with the holder's pid), CORRUPT and NOTADB → Corrupt, FULL → NoSpace, else Failed. */
function storeError(error: unknown, directory: string): Error {
  if (error instanceof StoreError || error instanceof CompactedError) return error;
  const path = `${directory}/store.db`;
  const extended = (error as { errcode?: number }).errcode ?? 0;
  const text = error instanceof Error ? error.message : String(error);
  switch (extended & 0xff) {
    case BUSY:
    case LOCKED: {
      const pid = readTextIfExists(`${directory}/holder`)?.trim();
      const who = pid === undefined ? 'another process' : `process ${pid}`;
      return new StoreError(
        'Locked',
        `${directory} is in use by ${who}. Stop it first, or use another data directory.`,
        { cause: error },
      );
    }
    case CORRUPT:
    case NOTADB:
      return new StoreError('Corrupt', corrupt(path, text).message, { cause: error });
    case FULL:
      return noSpace(directory, error);
    case IOERR:
      if (extended === IOERR_SHMSIZE) return noSpace(directory, error);
  }
  if ((error as { code?: string }).code === 'ENOSPC') return noSpace(directory, error);
  return new StoreError('Failed', `${path}: ${text}`, { cause: error });
}

function noSpace(directory: string, cause: unknown): StoreError {
  return new StoreError(
    'NoSpace',
    `no space left for ${directory}. Free some space on its file system; writing goes on by itself then.`,
    { cause },
  );
}
