// Failures that the command line tells the user: one sentence, and the exit code that scripts look at.

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
