// Content negotiation: which media type a body has and which the client wants. JSON, YAML; tables and partial metadata by the
// `as` parameter. Protobuf and CBOR are answered with 406/415 so that clients fall back.
import { dump, load } from 'js-yaml';
import { StatusError } from '#machinery/status.ts';

export type MediaType = 'json' | 'yaml';
/** What the object is turned into before it is encoded. */
export type Target = 'object' | 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList';

export interface Accepted {
  readonly media: MediaType;
  readonly as: Target;
  /** Version of meta.k8s.io asked for with `as`. */
  readonly metaVersion: string;
  readonly pretty: boolean;
}

const JSON_PLAIN: Accepted = Object.freeze({ media: 'json', as: 'object', metaVersion: 'v1', pretty: false });
const YAML_PLAIN: Accepted = Object.freeze({ media: 'yaml', as: 'object', metaVersion: 'v1', pretty: false });

/** Accept header → result; clients send a handful of different ones. */
const memo = new Map<string, Accepted | undefined>();
/** Entries; a client that varies its header cannot grow it. */
const MEMO_LIMIT = 200;

const SUPPORTED = 'application/json, application/yaml';

export interface AcceptClause {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Clauses of an Accept header in order of preference (q, then position). */
export function parseAccept(header: string): readonly AcceptClause[] {
  return header
    .split(',')
    .map((text, index) => {
      const [type = '', ...rest] = text.split(';').map((part) => part.trim());
      const parameters: Record<string, string> = {};
      for (const part of rest) {
        const equals = part.indexOf('=');
        if (equals > 0) parameters[part.slice(0, equals)] = part.slice(equals + 1);
      }
      const q = parameters.q === undefined ? 1 : Number(parameters.q);
      return { type: type.toLowerCase(), parameters, q: Number.isNaN(q) ? 0 : q, index };
    })
    .filter((c) => c.type !== '' && c.q > 0)
    .toSorted((a, b) => b.q - a.q || a.index - b.index);
}

/** Throws 406 when nothing that the client accepts can be given. */
export function negotiate(accept: string | undefined): Accepted {
  if (accept === undefined || accept === '' || accept === 'application/json' || accept === '*/*') return JSON_PLAIN;
  let found = memo.get(accept);
  if (found === undefined && !memo.has(accept)) {
    found = pick(accept);
    if (memo.size >= MEMO_LIMIT) memo.clear();
    memo.set(accept, found);
  }
  if (found === undefined) throw notAcceptable();
  return found;
}

export const notAcceptable = (): StatusError =>
  StatusError.notAcceptable(`only the following media types are accepted: ${SUPPORTED}`);

function pick(accept: string): Accepted | undefined {
  for (const { type, parameters } of parseAccept(accept)) {
    const media = mediaOf(type);
    if (media === undefined) continue;
    if (parameters.stream !== undefined && parameters.stream !== 'watch') continue;
    const as = parameters.as;
    if (as === undefined) {
      if (parameters.pretty === '1') return { media, as: 'object', metaVersion: 'v1', pretty: true };
      return media === 'json' ? JSON_PLAIN : YAML_PLAIN;
    }
    if (parameters.g !== 'meta.k8s.io' || (parameters.v !== 'v1' && parameters.v !== 'v1beta1')) continue;
    if (as !== 'Table' && as !== 'PartialObjectMetadata' && as !== 'PartialObjectMetadataList') continue;
    return { media, as, metaVersion: parameters.v, pretty: false };
  }
  return undefined;
}

function mediaOf(type: string): MediaType | undefined {
  switch (type) {
    case 'application/json':
    case 'application/*':
    case '*/*':
      return 'json';
    case 'application/yaml':
      return 'yaml';
    default:
      return undefined;
  }
}

/** Kind of a request body. No content type means JSON, as upstream. Throws 415. */
export function bodyMedia(contentType: string | undefined): MediaType {
  if (contentType === undefined || contentType === '' || contentType === 'application/json') return 'json';
  const semicolon = contentType.indexOf(';');
  const type = (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
  if (type === 'application/json') return 'json';
  if (type === 'application/yaml') return 'yaml';
  throw StatusError.unsupportedMediaType(
    `the body of the request was in an unknown format - accepted media types include: ${SUPPORTED}`,
  );
}

/** A YAML body as JSON bytes, so that everything behind reads one format. */
export function yamlToJson(body: Uint8Array): Uint8Array {
  try {
    return Buffer.from(JSON.stringify(load(Buffer.from(body).toString('utf8'))));
  } catch (error) {
    throw StatusError.badRequest(`error converting YAML to JSON: yaml: ${(error as Error).message}`);
  }
}

export const jsonToYaml = (value: unknown): string => dump(value, { noRefs: true, lineWidth: -1 });
