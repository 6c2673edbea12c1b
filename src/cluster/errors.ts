// Failures that the command line tells the user: one sentence, and the exit code that scripts look at.

import { describeError } from '#base/log.ts';

export const EXIT = { ok: 0, failed: 1, usage: 64, missing: 69 } as const;

/** A sentence for the user; the stack is of no use to them. */
export class UserError extends Error {
  readonly exitCode: number = EXIT.failed;
}

/** The command line or the given data is wrong. */
export class UsageError extends UserError {
  override readonly exitCode = EXIT.usage;
}

/** A program, permission or kernel feature is not there. */
export class MissingError extends UserError {
  override readonly exitCode = EXIT.missing;
}

/** Errors of the operating system as sentences that say what to do; other errors as they are. */
export function describeForUser(error: unknown): string {
  const { code, path, address, port } = (error ?? {}) as {
    code?: string;
    path?: string;
    address?: string;
    port?: number;
  };
  const where = path === undefined ? '' : ` for ${path}`;
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'NoSpace':
      return `no space is left on the disk${where}; nothing was lost. Make room, then run: coracle up`;
    case 'EROFS':
      return `the file system is read-only${where}; give a --data-dir that can be written`;
    case 'EACCES':
    case 'EPERM':
      return `no permission${where}; run this as the owner, or give another --data-dir`;
    case 'EADDRINUSE':
      return `${address ?? 'the address'}${port === undefined ? '' : ` port ${port}`} is in use by another program; end it, or give another --port`;
    default:
      return describeError(error);
  }
}
