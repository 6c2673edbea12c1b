// Options of writes, from the query and (for deletes) the body, checked in upstream's words.
import { fieldError, StatusError, type FieldError } from '#machinery/status.ts';
import type { RequestContext } from '../context.ts';

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: 'Ignore' | 'Warn' | 'Strict';
  /** Apply patches only. */
  readonly force: boolean | undefined;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  readonly orphanDependents?: boolean;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun: boolean;
}

/** As Go's unicode.IsPrint. */
const NOT_PRINTABLE = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;
const POLICIES = ['Background', 'Foreground', 'Orphan'];

export function writeOptions(
  context: RequestContext,
  kind: 'CreateOptions' | 'UpdateOptions' | 'PatchOptions',
): WriteOptions {
  const { query } = context.info;
  if (query.size === 0)
    return { dryRun: false, fieldManager: managerOf(context, null), fieldValidation: 'Warn', force: undefined };
  const errors: FieldError[] = [];
  const dryRun = dryRunOf(query.getAll('dryRun'), errors);
  const validation = query.get('fieldValidation') ?? '';
  if (validation !== '' && validation !== 'Ignore' && validation !== 'Warn' && validation !== 'Strict') {
    errors.push(fieldError.notSupported('fieldValidation', validation, ['', 'Ignore', 'Warn', 'Strict']));
  }
  const manager = query.get('fieldManager');
  if (manager !== null && manager.length > 128) errors.push(fieldError.tooLong('fieldManager', 128));
  if (manager !== null && NOT_PRINTABLE.test(manager))
    errors.push(fieldError.invalid('fieldManager', manager, 'should only contain printable characters'));
  const force = query.get('force');
  if (errors.length > 0) throw StatusError.invalid({ group: 'meta.k8s.io', kind }, '', errors);
  return {
    dryRun,
    fieldManager: managerOf(context, manager),
    fieldValidation: validation === '' ? 'Warn' : (validation as WriteOptions['fieldValidation']),
    force: force === null ? undefined : force === 'true' || force === '1' || force === '',
  };
}

function dryRunOf(values: readonly string[], errors: FieldError[]): boolean {
  const set = values.filter((v) => v !== '');
  for (const value of set) if (value !== 'All') errors.push(fieldError.notSupported('dryRun', [value], ['All']));
  return set.length > 0;
}

/** Without the parameter: the user agent up to its first slash, as upstream. */
function managerOf(context: RequestContext, asked: string | null): string {
  if (asked !== null && asked !== '') return asked;
  const agent = context.request.headers['user-agent'] ?? '';
  const slash = agent.indexOf('/');
  return (slash < 0 ? agent : agent.slice(0, slash)).slice(0, 128) || 'unknown';
}

/** `body` is the parsed DeleteOptions, when one was sent; it wins over the query. */
export function deleteOptions(context: RequestContext, body: unknown): DeleteOptions {
  const { query } = context.info;
  const source: Record<string, unknown> = body === undefined ? fromQuery(query) : (body as Record<string, unknown>);
  if (source === null || typeof source !== 'object' || Array.isArray(source))
    throw StatusError.badRequest('the body of a delete must be DeleteOptions');
  if (source.kind !== undefined && source.kind !== 'DeleteOptions') {
    throw StatusError.badRequest(`the object provided is unrecognized (must be of type DeleteOptions)`);
  }
  const errors: FieldError[] = [];
  const dryRun = dryRunOf(
    [...(Array.isArray(source.dryRun) ? (source.dryRun as string[]) : []), ...query.getAll('dryRun')],
    errors,
  );
  const policy = source.propagationPolicy as string | undefined;
  if (
    policy !== undefined &&
    policy !== null &&
    source.orphanDependents !== undefined &&
    source.orphanDependents !== null
  ) {
    errors.push(
      fieldError.invalid('propagationPolicy', policy, 'orphanDependents and deletionPropagation cannot be both set'),
    );
  }
  if (policy !== undefined && policy !== null && !POLICIES.includes(policy)) {
    errors.push(fieldError.notSupported('propagationPolicy', policy, ['Foreground', 'Background', 'Orphan', 'nil']));
  }
  if (errors.length > 0) throw StatusError.invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors);
  const grace = source.gracePeriodSeconds;
  return {
    dryRun,
    ...(typeof grace === 'number' ? { gracePeriodSeconds: grace } : {}),
    ...(policy === undefined || policy === null ? {} : { propagationPolicy: policy as 'Orphan' }),
    ...(typeof source.orphanDependents === 'boolean' ? { orphanDependents: source.orphanDependents } : {}),
    ...(source.preconditions === undefined || source.preconditions === null
      ? {}
      : { preconditions: source.preconditions as DeleteOptions['preconditions'] }),
  };
}

function fromQuery(query: URLSearchParams): Record<string, unknown> {
  const grace = query.get('gracePeriodSeconds');
  const orphan = query.get('orphanDependents');
  return {
    ...(grace === null ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(orphan === null ? {} : { orphanDependents: orphan === 'true' || orphan === '1' }),
    ...(query.get('propagationPolicy') === null ? {} : { propagationPolicy: query.get('propagationPolicy') }),
  };
}
