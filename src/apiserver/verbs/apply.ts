// Server-side apply: PATCH with application/apply-patch+yaml. The body says what its manager wants; #merge decides what
// becomes of it, the write function does the rest. An object that is not there is created.
import { load, YAMLException } from 'js-yaml';
import { ApplyConflicts } from '#merge/apply-conflict.ts';
import { applyConfiguration, type Versions } from '#merge/apply.ts';
import type { ExchangeResponse } from '#machinery/exchange.ts';
import type { KubeObject } from '#machinery/object.ts';
import { fieldError, StatusError } from '#machinery/status.ts';
import { DEPTH_MAX } from '#schema/decode.ts';
import { scan } from '#schema/scan.ts';
import { forbidden } from '../authorization/forbidden.ts';
import type { Codec } from '../codec.ts';
import type { RequestContext } from '../context.ts';
import { attributesOf } from '../handler.ts';
import { negotiate } from '../negotiation.ts';
import type { Authorizer } from '../pipeline.ts';
import { presented, type Served } from '../served.ts';
import { showWritten, type WriteRules } from './create.ts';
import { writeOptions, type WriteOptions } from './options.ts';
import type { Writer } from './write.ts';

export interface ApplyDeps {
  readonly codec: Codec;
  readonly writer: Writer;
  readonly authorizer: Authorizer;
}

export type Configuration = Readonly<Record<string, unknown>>;

export async function apply(
  served: Served,
  context: RequestContext,
  subresource: string,
  { codec, writer, authorizer }: ApplyDeps,
  rules: WriteRules = {},
): Promise<ExchangeResponse> {
  const accepted = negotiate(context.request.headers.accept);
  const options = applyOptions(context);
  const body = parseConfiguration(context, options);
  const { configuration } = body;
  const { info } = context;
  const namespace = served.definition.namespaced ? info.namespace : '';
  const versions = versionsOf(served);
  const written = await writer.write({
    ...rules,
    served,
    context,
    subresource,
    verb: 'patch',
    mode: subresource === '' ? 'createOrUpdate' : 'update',
    options,
    namespace,
    name: info.name,
    ownsFields: true,
    desired: async (old) => {
      if (old === undefined) await mayCreate(context, authorizer);
      const live = old === undefined ? undefined : presented(served, old);
      checkKind(configuration, served.apiVersion, served.definition.kind);
      const applied = shown(() =>
        applyConfiguration({
          live,
          configuration,
          schema: served.version.schema,
          apiVersion: served.apiVersion,
          kind: served.definition.kind,
          manager: options.fieldManager,
          subresource,
          force: options.force === true,
          now: context.nowText,
          versions,
        }),
      );
      checkDuplicates(body, context, options);
      checkIdentity(applied, info.name, live);
      return codec.decodeValue(served, applied, context, 'Ignore');
    },
  });
  return showWritten(written.outcome === 'created' ? 201 : 200, served, written, accepted, context);
}

/** The query's options; an apply names its manager. */
export function applyOptions(context: RequestContext): WriteOptions {
  const options = writeOptions(context, 'PatchOptions');
  if ((context.info.query.get('fieldManager') ?? '') === '')
    throw StatusError.invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [
      fieldError.required('fieldManager', 'is required for apply patch'),
    ]);
  return options;
}

export interface Body {
  readonly configuration: Configuration;
  /** Where a mapping has a key twice; of equal keys the last counts. */
  readonly duplicate: string | undefined;
}

/** The body, YAML or JSON. */
export function parseConfiguration(context: RequestContext, options: WriteOptions): Body {
  const bytes = context.request.body ?? new Uint8Array(0);
  const text = Buffer.from(bytes).toString('utf8');
  const json = text.startsWith('{') ? parseJson(bytes, text) : undefined;
  let value: unknown;
  try {
    value = json === undefined ? load(text === '' ? '{}' : text, { json: true }) : json.value;
  } catch (error) {
    throw StatusError.badRequest(`error decoding YAML: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || Array.isArray(value))
    throw StatusError.badRequest('error decoding YAML: the document is no map');
  const wanted = options.fieldValidation !== 'Ignore' && json?.unique !== true;
  return { configuration: (value ?? {}) as Configuration, duplicate: wanted ? duplicateIn(text) : undefined };
}

/** JSON is the usual case and much faster to read. Undefined: it is none (a flow mapping of YAML). */
function parseJson(bytes: Uint8Array, text: string): { value: unknown; unique: boolean } | undefined {
  const { depth, keys } = scan(bytes);
  if (depth > DEPTH_MAX) throw StatusError.badRequest(`exceeded max depth: ${DEPTH_MAX} levels of nesting are allowed`);
  try {
    const value: unknown = JSON.parse(text);
    return { value, unique: countKeys(value) === keys };
  } catch {
    return undefined;
  }
}

function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const members: unknown[] = Array.isArray(value) ? value : Object.values(value);
  return members.reduce<number>((sum, member) => sum + countKeys(member), Array.isArray(value) ? 0 : members.length);
}

function duplicateIn(text: string): string | undefined {
  try {
    load(text);
    return undefined;
  } catch (error) {
    if (!(error instanceof YAMLException) || error.mark === undefined) return undefined;
    const { line, position, buffer } = error.mark;
    const key = /^\s*["']?([^"':\s]+)/.exec(buffer.slice(position))?.[1] ?? '';
    return `line ${line + 1}: key ${JSON.stringify(key)} already set in map`;
  }
}

export function checkKind(configuration: Configuration, apiVersion: string, kind: string): void {
  const given = [configuration['apiVersion'] ?? '', configuration['kind'] ?? ''].map(String);
  if (given[0] === apiVersion && given[1] === kind) return;
  const group = given[0]!.includes('/') ? '' : '/';
  throw StatusError.badRequest(`invalid object type: ${group}${given[0]}, Kind=${given[1]}`);
}

/** Runs an apply; conflicts come out as the 409. `shownVersion`: see ApplyConflicts. */
export function shown<T>(work: () => T, shownVersion?: string): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof ApplyConflicts ? error.toStatusError(shownVersion) : error;
  }
}

/** A key that stands twice, by fieldValidation. */
export function checkDuplicates({ duplicate }: Body, context: RequestContext, options: WriteOptions): void {
  if (duplicate === undefined) return;
  if (options.fieldValidation === 'Warn') context.warn(duplicate);
  else
    throw StatusError.badRequest(
      `error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  ${duplicate}`,
    );
}

/** Who applies what is not there creates it. */
async function mayCreate(context: RequestContext, authorizer: Authorizer): Promise<void> {
  const attributes = { ...attributesOf(context), verb: 'create' };
  const { decision, reason } = await authorizer.authorize(attributes);
  if (decision !== 'allow') throw forbidden(attributes, reason);
}

function checkIdentity(applied: KubeObject, name: string, live: KubeObject | undefined): void {
  const { metadata } = applied;
  if (live === undefined && (metadata.uid ?? '') !== '')
    throw new StatusError(
      409,
      'Conflict',
      `uid mismatch: the provided object specified uid ${metadata.uid}, and no existing object was found`,
    );
  if ((metadata.name ?? '') === '')
    throw StatusError.badRequest(
      `the name of the object (${name} based on URL) was undeterminable: name must be provided`,
    );
  if (metadata.name !== name)
    throw StatusError.badRequest(
      `the name of the object (${metadata.name}) does not match the name on the URL (${name})`,
    );
}

/** Every version of the kind, for managers that wrote another one. */
export function versionsOf(served: Served): Versions {
  const { definition } = served;
  const find = (apiVersion: string) =>
    definition.versions.find(
      ({ version }) => (definition.group === '' ? version : `${definition.group}/${version}`) === apiVersion,
    );
  return {
    schema: (apiVersion) => find(apiVersion)?.schema,
    convert: (object, from, to) => {
      if (from === to) return object;
      const [source, target] = [find(from), find(to)];
      const stored = source?.toStorage?.(object as KubeObject) ?? object;
      const out = (target?.fromStorage?.(stored as KubeObject) ?? stored) as KubeObject;
      return { ...out, apiVersion: to };
    },
  };
}
