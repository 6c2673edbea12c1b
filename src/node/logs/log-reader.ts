// Container logs in the CRI format (`<time> <stream> <P|F> <text>`), read from the files the runtime writes: tail, since, follow.
import type { Clock } from '#base/clock.ts';
import type { FileSystem, OpenFile } from '#host/file-system.ts';
import { parseTime } from '#machinery/time.ts';
import { podLogDirectory } from '../pods/cri-config.ts';
import type { RuntimeContainer, RuntimePod } from '../pods/runtime-pod.ts';

export interface LogOptions {
  readonly follow?: boolean;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  readonly sinceTime?: string;
  readonly timestamps?: boolean;
  readonly limitBytes?: number;
  /** Only one of the two streams; both without. */
  readonly stream?: 'stdout' | 'stderr';
}

export interface LogReaderDeps {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly logsRoot: string;
}

const CHUNK_BYTES = 64 * 1024;
/** Besides the file watch: rotation and missed changes are found within this time. */
const FOLLOW_POLL_MS = 1000;
const NEWLINE = 0x0a;

interface Line {
  readonly time: string;
  readonly stream: string;
  readonly partial: boolean;
  readonly text: Uint8Array;
}

export class LogReader {
  readonly #deps: LogReaderDeps;

  constructor(deps: LogReaderDeps) {
    this.#deps = deps;
  }

  /** Path of a container's log. */
  path(pod: Pick<RuntimePod, 'namespace' | 'name' | 'uid'>, containerName: string, restartCount: number): string {
    return `${podLogDirectory(this.#deps.logsRoot, pod.namespace, pod.name, pod.uid)}/${containerName}/${restartCount}.log`;
  }

  /** The end of a container's output, as text. */
  tail(pod: RuntimePod, container: RuntimeContainer, bytes: number): string {
    const file = this.#deps.files.open(this.path(pod, container.name, container.restartCount));
    if (file === undefined) return '';
    try {
      const size = file.size();
      const data = file.read(Math.max(0, size - bytes * 2), Math.min(size, bytes * 2));
      const lines = splitLines(data)
        .map(parseLine)
        .filter((l) => l !== undefined);
      return Buffer.concat(lines.map((l) => Buffer.concat([l.text, Buffer.from(l.partial ? '' : '\n')])))
        .toString('utf8')
        .slice(-bytes);
    } finally {
      file.close();
    }
  }

  /** The log as bytes. `ended` says whether the container runs no more: following ends with the file then. */
  async *read(path: string, options: LogOptions, ended: () => boolean, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const { files, clock } = this.#deps;
    let file = files.open(path);
    if (file === undefined) return;
    const sinceMs =
      options.sinceTime !== undefined
        ? parseTime(options.sinceTime)
        : options.sinceSeconds !== undefined
          ? clock.now() - options.sinceSeconds * 1000
          : undefined;
    let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
    let position = options.tailLines === undefined ? 0 : tailStart(file, options.tailLines);
    let rest: Uint8Array = new Uint8Array();
    try {
      for (;;) {
        const over = ended();
        const chunk = file.read(position, CHUNK_BYTES);
        position += chunk.length;
        if (chunk.length > 0) {
          const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
          const end = data.lastIndexOf(NEWLINE) + 1;
          rest = Uint8Array.from(data.subarray(end));
          const out = splitLines(data.subarray(0, end))
            .map(parseLine)
            .filter((l) => l !== undefined)
            .filter(
              (l) =>
                (options.stream === undefined || l.stream === options.stream) &&
                (sinceMs === undefined || (parseTime(l.time) ?? 0) >= sinceMs),
            )
            .flatMap((l) => [
              ...(options.timestamps === true ? [Buffer.from(`${l.time} `)] : []),
              l.text,
              ...(l.partial ? [] : [Buffer.from('\n')]),
            ]);
          if (out.length > 0) {
            const bytes = Buffer.concat(out);
            yield bytes.subarray(0, Math.min(bytes.length, left));
            left -= bytes.length;
            if (left <= 0) return;
          }
          continue;
        }
        if (options.follow !== true || signal.aborted) return;
        // Rotated: what follows is in a new file of the same name.
        const now = files.stat(path);
        if (now !== undefined && now.size < position) {
          const next = files.open(path);
          if (next !== undefined) {
            file.close();
            file = next;
            position = 0;
            rest = new Uint8Array();
            continue;
          }
        }
        if (over) return;
        await this.#change(path, signal);
      }
    } finally {
      file.close();
    }
  }

  #change(path: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        unwatch();
        timer.cancel();
        signal.removeEventListener('abort', done);
        resolve();
      };
      let unwatch = () => {};
      const timer = this.#deps.clock.setTimer(FOLLOW_POLL_MS, () => done());
      signal.addEventListener('abort', done, { once: true });
      if (this.#deps.files.stat(path) !== undefined) unwatch = this.#deps.files.watch(path, done);
    });
  }
}

/** Where the last `lines` lines begin. */
function tailStart(file: OpenFile, lines: number): number {
  const size = file.size();
  if (lines <= 0) return size;
  let seen = 0;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const chunk = file.read(start, end - start);
    for (let i = chunk.length - 1; i >= 0; i--) {
      if (chunk[i] !== NEWLINE || start + i === size - 1) continue;
      if (++seen === lines) return start + i + 1;
    }
    end = start;
  }
  return 0;
}

function splitLines(data: Uint8Array): Uint8Array[] {
  const out: Uint8Array[] = [];
  for (let at = 0; at < data.length; ) {
    const end = data.indexOf(NEWLINE, at);
    const stop = end < 0 ? data.length : end;
    out.push(data.subarray(at, stop));
    at = stop + 1;
  }
  return out;
}

/** Undefined for a line that is not in the format (cut by a crash). */
function parseLine(line: Uint8Array): Line | undefined {
  const first = line.indexOf(0x20);
  const second = line.indexOf(0x20, first + 1);
  const third = line.indexOf(0x20, second + 1);
  if (first < 0 || second < 0 || third < 0) return undefined;
  const word = (from: number, to: number) => Buffer.from(line.subarray(from, to)).toString('latin1');
  return {
    time: word(0, first),
    stream: word(first + 1, second),
    partial: word(second + 1, third).startsWith('P'),
    text: line.subarray(third + 1),
  };
}
