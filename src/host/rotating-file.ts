// A log file that is appended to without blocking and moved aside when it has grown: audit.log → audit.log.1 → … Lines are
// never split over two files.
import { type FileHandle, open, rename, rm } from 'node:fs/promises';

export interface RotatingFileOptions {
  readonly path: string;
  /** Bytes after which the file is moved aside. */
  readonly maxBytes: number;
  /** Files kept beside the current one. */
  readonly keep: number;
  readonly mode: number;
}

/** One writer at a time: `write` must not be called again before its promise settled. */
export class RotatingFile {
  readonly #options: RotatingFileOptions;
  #file: { readonly handle: FileHandle; bytes: number } | undefined;

  constructor(options: RotatingFileOptions) {
    this.#options = options;
  }

  /** Appends whole lines. A failed write closes the file, so that the next one opens it anew. */
  async write(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    try {
      let file = (this.#file ??= await this.#open());
      if (file.bytes > 0 && file.bytes + bytes.length > this.#options.maxBytes) {
        await this.#rotate();
        file = this.#file = await this.#open();
      }
      await file.handle.appendFile(bytes);
      file.bytes += bytes.length;
    } catch (error) {
      await this.close().catch(() => {});
      throw error;
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close();
  }

  async #open(): Promise<{ handle: FileHandle; bytes: number }> {
    const handle = await open(this.#options.path, 'a', this.#options.mode);
    return { handle, bytes: (await handle.stat()).size };
  }

  async #rotate(): Promise<void> {
    const { path, keep } = this.#options;
    await this.close();
    await rm(`${path}.${keep}`, { force: true });
    for (let i = keep - 1; i >= 1; i--) await rename(`${path}.${i}`, `${path}.${i + 1}`).catch(ignoreMissing);
    if (keep > 0) await rename(path, `${path}.1`);
    else await rm(path, { force: true });
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
