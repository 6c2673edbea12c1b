// Structured logging: one JSON line per record, so that `coracle logs` and people's tools can read it.

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log that adds `fields` to every record. */
  with(fields: LogFields): Log;
}

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface LogSink {
  write(line: string): void;
}

export function createLog(
  sink: LogSink,
  options: { level?: LogLevel; now?: () => number; fields?: LogFields } = {},
): Log {
  const { level = 'info', now = Date.now, fields = {} } = options;
  const emit = (at: LogLevel) => (message: string, more?: LogFields) => {
    if (RANK[at] < RANK[level]) return;
    sink.write(
      `${JSON.stringify({ ts: new Date(now()).toISOString(), level: at, msg: message, ...fields, ...plain(more) })}\n`,
    );
  };
  return {
    debug: emit('debug'),
    info: emit('info'),
    warn: emit('warn'),
    error: emit('error'),
    with: (more) => createLog(sink, { level, now, fields: { ...fields, ...more } }),
  };
}

/** Errors do not survive JSON.stringify; say their message, code and cause. */
function plain(fields: LogFields | undefined): LogFields | undefined {
  if (fields === undefined) return undefined;
  return Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, v instanceof Error ? describeError(v) : v]));
}

/** One line for any thrown value, with its chain of causes. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.message || error.name;
  return error.cause === undefined ? own : `${own}: ${describeError(error.cause)}`;
}

/** Drops everything: for tests that do not look at logs. */
export const silentLog: Log = createLog({ write: () => {} });
