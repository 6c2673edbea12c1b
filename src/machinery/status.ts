// Kubernetes Status objects as errors: what every failure at the API looks like. Reasons, codes and message shapes are
// upstream's (apimachinery, api/errors), because users and tools match on them.
import type { Status, StatusCause, StatusDetails } from '#generated/api/meta-v1.ts';

export type StatusReason =
  | 'BadRequest'
  | 'Unauthorized'
  | 'Forbidden'
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Gone'
  | 'Expired'
  | 'Invalid'
  | 'ServerTimeout'
  | 'Timeout'
  | 'TooManyRequests'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'RequestEntityTooLarge'
  | 'UnsupportedMediaType'
  | 'InternalError'
  | 'ServiceUnavailable'
  | 'StorageReadError'
  | '';

/** Which resource a status speaks of. */
export interface StatusSubject {
  readonly group?: string;
  /** Plural resource name, or the kind for Invalid. */
  readonly resource: string;
}

/** One violated rule. `type` is upstream's ErrorType; `detail` completes the sentence. */
export interface FieldError {
  readonly type:
    | 'FieldValueNotFound'
    | 'FieldValueRequired'
    | 'FieldValueDuplicate'
    | 'FieldValueInvalid'
    | 'FieldValueNotSupported'
    | 'FieldValueForbidden'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany'
    | 'InternalError'
    | 'FieldValueTypeInvalid';
  /** `spec.containers[0].name` */
  readonly field: string;
  readonly value?: unknown;
  /** The message does not show the value (upstream's OmitValueType). */
  readonly valueOmitted?: true;
  readonly detail: string;
}

const TYPE_WORDS: Record<FieldError['type'], string> = {
  FieldValueNotFound: 'Not found',
  FieldValueRequired: 'Required value',
  FieldValueDuplicate: 'Duplicate value',
  FieldValueInvalid: 'Invalid value',
  FieldValueNotSupported: 'Unsupported value',
  FieldValueForbidden: 'Forbidden',
  FieldValueTooLong: 'Too long',
  FieldValueTooMany: 'Too many',
  InternalError: 'Internal error',
  FieldValueTypeInvalid: 'Invalid value',
};

/** Makers for FieldError in upstream's words (field.Required, field.Invalid, …). */
export const fieldError = {
  required: (field: string, detail = ''): FieldError => ({ type: 'FieldValueRequired', field, detail }),
  invalid: (field: string, value: unknown, detail: string): FieldError => ({
    type: 'FieldValueInvalid',
    field,
    value,
    detail,
  }),
  /** Invalid as a whole: the value is not shown. */
  invalidWhole: (field: string, detail: string): FieldError => ({
    type: 'FieldValueInvalid',
    field,
    valueOmitted: true,
    detail,
  }),
  forbidden: (field: string, detail: string): FieldError => ({ type: 'FieldValueForbidden', field, detail }),
  duplicate: (field: string, value: unknown): FieldError => ({ type: 'FieldValueDuplicate', field, value, detail: '' }),
  notFound: (field: string, value: unknown): FieldError => ({ type: 'FieldValueNotFound', field, value, detail: '' }),
  tooLong: (field: string, max: number): FieldError => ({
    type: 'FieldValueTooLong',
    field,
    detail: `may not be more than ${max} bytes`,
  }),
  tooMany: (field: string, actual: number, max: number): FieldError => ({
    type: 'FieldValueTooMany',
    field,
    value: actual,
    detail: `must have at most ${max} items`,
  }),
  /** `supported` is listed in the order given. */
  notSupported: (field: string, value: unknown, supported: readonly string[]): FieldError => ({
    type: 'FieldValueNotSupported',
    field,
    value,
    detail: `supported values: ${supported.map((s) => JSON.stringify(s)).join(', ')}`,
  }),
} as const;

/** The error without its field path, as it stands in a cause. */
export function fieldErrorBody(error: FieldError): string {
  const word = TYPE_WORDS[error.type];
  const bare =
    error.valueOmitted === true ||
    error.type === 'FieldValueRequired' ||
    error.type === 'FieldValueForbidden' ||
    error.type === 'FieldValueTooLong' ||
    error.type === 'InternalError';
  const head = bare ? word : `${word}: ${formatValue(error.value)}`;
  return error.detail === '' ? head : `${head}: ${error.detail}`;
}

function formatValue(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  return JSON.stringify(value);
}

export class StatusError extends Error {
  readonly code: number;
  readonly reason: StatusReason;
  readonly details: StatusDetails | undefined;

  constructor(code: number, reason: StatusReason, message: string, details?: StatusDetails, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StatusError';
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  toStatus(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }

  /** Rebuilds the error a server sent. */
  static fromStatus(status: Status): StatusError {
    return new StatusError(
      status.code ?? 500,
      (status.reason ?? '') as StatusReason,
      status.message ?? '',
      status.details,
    );
  }

  /** Any thrown value as a StatusError: itself, or InternalError with the cause kept. */
  static from(error: unknown): StatusError {
    if (error instanceof StatusError) return error;
    const message = error instanceof Error ? error.message : String(error);
    return new StatusError(
      500,
      'InternalError',
      `Internal error occurred: ${message}`,
      { causes: [{ message }] },
      { cause: error },
    );
  }

  static badRequest(message: string): StatusError {
    return new StatusError(400, 'BadRequest', message);
  }

  static unauthorized(message = 'Unauthorized'): StatusError {
    return new StatusError(401, 'Unauthorized', message);
  }

  static forbidden(subject: StatusSubject, name: string, why: string): StatusError {
    const what = qualified(subject);
    const message =
      subject.resource === ''
        ? `forbidden: ${why}`
        : name === ''
          ? `${what} is forbidden: ${why}`
          : `${what} ${quote(name)} is forbidden: ${why}`;
    return new StatusError(403, 'Forbidden', message, detailsOf(subject, name));
  }

  static notFound(subject: StatusSubject, name: string): StatusError {
    return new StatusError(404, 'NotFound', `${qualified(subject)} ${quote(name)} not found`, detailsOf(subject, name));
  }

  static alreadyExists(subject: StatusSubject, name: string): StatusError {
    return new StatusError(
      409,
      'AlreadyExists',
      `${qualified(subject)} ${quote(name)} already exists`,
      detailsOf(subject, name),
    );
  }

  static conflict(subject: StatusSubject, name: string, why: string): StatusError {
    return new StatusError(
      409,
      'Conflict',
      `Operation cannot be fulfilled on ${qualified(subject)} ${quote(name)}: ${why}`,
      detailsOf(subject, name),
    );
  }

  /** `subject.resource` is the kind here, as upstream has it. */
  static invalid(
    subject: { readonly group?: string; readonly kind: string },
    name: string,
    errors: readonly FieldError[],
  ): StatusError {
    const causes: StatusCause[] = errors.map((e) => ({ reason: e.type, message: fieldErrorBody(e), field: e.field }));
    const texts = [...new Set(errors.map((e) => `${e.field}: ${fieldErrorBody(e)}`))];
    const list = texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`;
    const what = qualified({ group: subject.group, resource: subject.kind });
    return new StatusError(422, 'Invalid', `${what} ${quote(name)} is invalid: ${list}`, {
      ...detailsOf({ group: subject.group, resource: subject.kind }, name),
      causes,
    });
  }

  static expired(message: string): StatusError {
    return new StatusError(410, 'Expired', message);
  }

  static tooManyRequests(message: string, retryAfterSeconds: number, subject?: StatusSubject, name = ''): StatusError {
    return new StatusError(429, 'TooManyRequests', message, {
      ...(subject === undefined ? {} : detailsOf(subject, name)),
      retryAfterSeconds,
    });
  }

  static methodNotAllowed(subject: StatusSubject, verb: string): StatusError {
    return new StatusError(
      405,
      'MethodNotAllowed',
      `${verb} is not supported on resources of kind ${quote(qualified(subject))}`,
      detailsOf(subject, ''),
    );
  }

  static unsupportedMediaType(message: string): StatusError {
    return new StatusError(415, 'UnsupportedMediaType', message);
  }

  static notAcceptable(message: string): StatusError {
    return new StatusError(406, 'NotAcceptable', message);
  }

  static requestEntityTooLarge(message: string): StatusError {
    return new StatusError(413, 'RequestEntityTooLarge', message);
  }

  static timeout(message: string, retryAfterSeconds: number): StatusError {
    return new StatusError(504, 'Timeout', `Timeout: ${message}`, { retryAfterSeconds });
  }

  static serviceUnavailable(message: string): StatusError {
    return new StatusError(503, 'ServiceUnavailable', message);
  }

  static internal(message: string, cause?: unknown): StatusError {
    return new StatusError(
      500,
      'InternalError',
      `Internal error occurred: ${message}`,
      { causes: [{ message }] },
      { cause },
    );
  }
}

export const isStatus = (error: unknown, reason: StatusReason): boolean =>
  error instanceof StatusError && error.reason === reason;

const quote = (name: string): string => JSON.stringify(name);

const qualified = (subject: StatusSubject): string =>
  subject.group === undefined || subject.group === '' ? subject.resource : `${subject.resource}.${subject.group}`;

function detailsOf(subject: StatusSubject, name: string): StatusDetails {
  return {
    ...(name === '' ? {} : { name }),
    ...(subject.group === undefined || subject.group === '' ? {} : { group: subject.group }),
    kind: subject.resource,
  };
}
