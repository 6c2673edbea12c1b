// Continue tokens in upstream's shape (base64url JSON), and the 410 that hands out a fresh one.
import type { Status } from '#generated/api/meta-v1.ts';
import { StatusError } from '#machinery/status.ts';

const VERSION = 'meta.k8s.io/v1';
/** Revision of a token that goes on from the newest state instead of the first page's. */
export const INCONSISTENT = -1;

export interface ContinueToken {
  readonly revision: number;
  /** The first key of the page, below the list's own prefix. */
  readonly start: string;
}

export function encodeContinue(token: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: VERSION, rv: token.revision, start: token.start })).toString('base64url');
}

/** Throws 400 in upstream's words. */
export function decodeContinue(text: string): ContinueToken {
  const invalid = (why: string) => StatusError.badRequest(`continue key is not valid: ${why}`);
  if (!/^[A-Za-z0-9_-]*={0,2}$/.test(text)) {
    throw invalid(`illegal base64 data at input byte ${text.search(/[^A-Za-z0-9_-]/)}`);
  }
  let parsed: { v?: unknown; rv?: unknown; start?: unknown };
  try {
    parsed = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as typeof parsed;
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message : String(cause));
  }
  if (typeof parsed !== 'object' || parsed === null || parsed.v !== VERSION) {
    throw invalid(`server does not recognize this encoded version ${JSON.stringify(parsed?.v ?? '')}`);
  }
  if (
    typeof parsed.rv !== 'number' ||
    !Number.isSafeInteger(parsed.rv) ||
    parsed.rv === 0 ||
    parsed.rv < INCONSISTENT
  ) {
    throw invalid(`incorrect encoded start resourceVersion (version ${VERSION})`);
  }
  if (typeof parsed.start !== 'string' || parsed.start === '')
    throw invalid(`encoded start key empty (version ${VERSION})`);
  // A start that climbs out of the prefix would read other resources.
  if (parsed.start.split('/').includes('..')) throw invalid(parsed.start);
  return { revision: parsed.rv, start: parsed.start };
}

/** 410 for a token whose revision is gone; its Status carries a token that goes on from the same key, inconsistently. */
export class ExpiredContinueError extends StatusError {
  readonly continue: string;

  constructor(start: string) {
    super(
      410,
      'Expired',
      'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
    );
    this.continue = encodeContinue({ revision: INCONSISTENT, start });
  }

  override toStatus(): Status {
    return { ...super.toStatus(), metadata: { continue: this.continue } };
  }
}
