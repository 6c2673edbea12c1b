// Between bytes and objects: request bodies are decoded by the schema of the version asked for, defaulted and turned into the
// storage version; objects are encoded in normal form for the store.
import type { KubeObject } from '#machinery/object.ts';
import { StatusError } from '#machinery/status.ts';
import { sameButTimes } from '#merge/managed-fields.ts';
import { decodeObject, decodeValue, rebuild, strictDecodingError, type Decoded } from '#schema/decode.ts';
import type { Schema } from '#schema/types.ts';
import type { RequestContext } from './context.ts';
import { bodyMedia, yamlToJson } from './negotiation.ts';
import { orderedMetadata } from './metadata.ts';
import { presented, type Served } from './served.ts';
import type { WriteOptions } from './verbs/options.ts';

/** Records who set which fields; see #merge. Absent: managedFields are kept as they are. */
export interface FieldManager {
  update(args: {
    readonly object: KubeObject;
    readonly old: KubeObject | undefined;
    readonly schema: Schema;
    readonly apiVersion: string;
    readonly manager: string;
    readonly subresource: string;
    readonly now: string;
  }): KubeObject;
}

export class Codec {
  readonly #fieldManager: FieldManager | undefined;
  /** Served → schema of its storage version. */
  readonly #storageSchemas = new WeakMap<Served, Schema>();

  constructor(fieldManager?: FieldManager) {
    this.#fieldManager = fieldManager;
  }

  /** The body of a write as an object of `served` in the storage version. Throws 400 and 415; unknown fields by fieldValidation. */
  decode(served: Served, context: RequestContext, validation: WriteOptions['fieldValidation']): KubeObject {
    return this.#accept(served, this.#decodeBody(served, context), context, validation);
  }

  /** The same for a value that is parsed already (a patched object). */
  decodeValue(
    served: Served,
    value: unknown,
    context: RequestContext,
    validation: WriteOptions['fieldValidation'],
  ): KubeObject {
    checkHead(served, value as KubeObject);
    const { kind } = served.definition;
    return this.#accept(
      served,
      decodeValue(value, served.version.schema, { kind, version: served.version.version }),
      context,
      validation,
    );
  }

  #decodeBody(served: Served, context: RequestContext): Decoded {
    const body = bodyOf(context);
    const { kind } = served.definition;
    let decoded: Decoded;
    try {
      decoded = decodeObject(body, served.version.schema, { kind, version: served.version.version });
    } catch (error) {
      // A body of another kind fails on its fields first; what is wrong with it is its kind.
      const head = headOf(body);
      if (head !== undefined) checkHead(served, head);
      throw error;
    }
    checkHead(served, decoded.object);
    return decoded;
  }

  #accept(
    served: Served,
    { object, strictErrors }: Decoded,
    context: RequestContext,
    validation: WriteOptions['fieldValidation'],
  ): KubeObject {
    if (strictErrors.length > 0 && validation !== 'Ignore') {
      if (validation === 'Strict') {
        throw strictDecodingError({ kind: served.definition.kind, apiVersion: served.apiVersion }, strictErrors, {
          kind: served.definition.kind,
        });
      }
      for (const text of strictErrors) context.warn(text);
    }
    return this.toStorage(served, object);
  }

  /** Defaults of the version, then the storage version, then the kind's own defaults. */
  toStorage(served: Served, object: KubeObject): KubeObject {
    const { strategy } = served.definition;

    const stored = served.version.toStorage === undefined ? object : served.version.toStorage(object);
    return strategy.default === undefined ? stored : strategy.default(stored);
  }

  /** Normal form: kind, apiVersion, metadata without resourceVersion, then the fields in the schema's order. */
  normalize(served: Served, object: KubeObject): KubeObject {
    const {
      kind: _kind,
      apiVersion: _apiVersion,
      metadata,
      ...rest
    } = rebuild<KubeObject>(object, this.#storageSchema(served));
    return {
      kind: served.definition.kind,
      apiVersion: served.storageApiVersion,
      metadata: orderedMetadata(metadata),
      ...rest,
    };
  }

  /** The bytes to store. */
  encode(served: Served, object: KubeObject): Uint8Array {
    return bytesOf(this.normalize(served, object));
  }

  /** Whether `value`, the encoded object, is what is stored already. New times of managedFields alone are no change. */
  changesNothing(served: Served, object: KubeObject, value: Uint8Array, old: KubeObject, stored: Uint8Array): boolean {
    if (value.length !== stored.length) return false;
    if (Buffer.compare(value, stored) === 0) return true;
    const { managedFields } = old.metadata;
    if (object.metadata.managedFields === managedFields || !sameButTimes(object.metadata.managedFields, managedFields))
      return false;
    const asBefore = { ...object, metadata: { ...object.metadata, managedFields } };
    return Buffer.compare(this.encode(served, asBefore), stored) === 0;
  }

  /** The object with managedFields brought up to date. */
  manage(
    served: Served,
    object: KubeObject,
    old: KubeObject | undefined,
    manager: string,
    subresource: string,
    now: string,
  ): KubeObject {
    if (this.#fieldManager === undefined) return object;
    const { fromStorage, schema } = served.version;
    if (fromStorage === undefined) {
      const apiVersion = served.apiVersion;
      return this.#fieldManager.update({ object, old, schema, apiVersion, manager, subresource, now });
    }
    // Fields are recorded in the shape of the version that the request is about.
    const managed = this.#fieldManager.update({
      object: presented(served, object),
      old: old === undefined ? undefined : presented(served, old),
      schema,
      apiVersion: served.apiVersion,
      manager,
      subresource,
      now,
    });
    const { managedFields: _managedFields, ...metadata } = object.metadata;
    const { managedFields } = managed.metadata;
    return { ...object, metadata: managedFields === undefined ? metadata : { ...metadata, managedFields } };
  }

  #storageSchema(served: Served): Schema {
    let schema = this.#storageSchemas.get(served);
    if (schema === undefined) {
      const { versions, storageVersion, storedAs } = served.definition;
      schema = storedAs?.schema ?? (versions.find((v) => v.version === storageVersion) ?? served.version).schema;
      this.#storageSchemas.set(served, schema);
    }
    return schema;
  }
}

/** Bytes of an object in normal form, in memory of their own: stored values live long, and one in a shared pool would keep
 *  all of it. */
export function bytesOf(object: KubeObject): Uint8Array {
  const text = JSON.stringify(object);
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}

/** The body as JSON bytes. */
export function bodyOf(context: RequestContext): Uint8Array {
  const { headers, body } = context.request;
  const media = bodyMedia(headers['content-type']);
  const bytes = body ?? EMPTY;
  return media === 'yaml' && bytes.length > 0 ? yamlToJson(bytes) : bytes;
}

const EMPTY = new Uint8Array(0);

function headOf(body: Uint8Array): KubeObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as KubeObject) : undefined;
  } catch {
    return undefined;
  }
}

/** kind and apiVersion may be left out; when they are there they must be those of the path. */
function checkHead(served: Served, object: KubeObject): void {
  const { kind, apiVersion } = object ?? {};
  if (typeof kind === 'string' && kind !== '' && kind !== served.definition.kind) {
    const version = typeof apiVersion === 'string' ? apiVersion.slice(apiVersion.lastIndexOf('/') + 1) : '';
    throw StatusError.badRequest(
      `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${served.definition.kind}: converting (${version}.${kind}) to (${served.version.version}.${served.definition.kind}): unknown conversion`,
    );
  }
  if (typeof apiVersion === 'string' && apiVersion !== '' && apiVersion !== served.apiVersion) {
    throw StatusError.badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${served.apiVersion})`,
    );
  }
}
