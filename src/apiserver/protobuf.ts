// Request bodies in Kubernetes' protobuf (kubectl's typed commands send them): the envelope, and any built-in message → the JSON
// that means the same. Field numbers come from the descriptor, JSON names and special types from the schema. Answers are
// JSON: every client that sends protobuf accepts that too.
import { StatusError } from '#machinery/status.ts';
import { schemaByName } from '#schema/load.ts';
import type { Schema } from '#schema/types.ts';

export const PROTOBUF = 'application/vnd.kubernetes.protobuf';

interface FieldDescriptor {
  readonly type: string;
  readonly id: number;
  readonly rule?: string;
  readonly keyType?: string;
}
interface Namespace {
  readonly nested?: Readonly<Record<string, Namespace>>;
  readonly fields?: Readonly<Record<string, FieldDescriptor>>;
}

type NamedField = FieldDescriptor & { readonly name: string };

/** A message: its fields by number, and the package that its field types are looked up from. */
interface Message {
  readonly fields: ReadonlyMap<number, NamedField>;
  readonly scope: readonly string[];
}

export class ProtobufReader {
  readonly #root: Namespace;
  /** Full name → message. */
  readonly #messages = new Map<string, Message | undefined>();

  constructor(root: Namespace) {
    this.#root = root;
  }

  static async load(): Promise<ProtobufReader> {
    const { default: root } = await import('#generated/protobuf-v1.36.json', { with: { type: 'json' } });
    return new ProtobufReader(root as unknown as Namespace);
  }

  /** The body as JSON, with kind and apiVersion from its envelope. Throws 400. */
  toJson(body: Uint8Array): Uint8Array {
    try {
      return Buffer.from(JSON.stringify(this.#object(body)));
    } catch (error) {
      if (error instanceof StatusError) throw error;
      throw StatusError.badRequest(`the body of the request is not well-formed protobuf: ${(error as Error).message}`);
    }
  }

  #object(body: Uint8Array): object {
    if (body.length < 4 || body[0] !== 0x6b || body[1] !== 0x38 || body[2] !== 0x73 || body[3] !== 0) {
      throw StatusError.badRequest('the body of the request does not begin with the magic number of protobuf');
    }
    const unknown = this.#read(
      new Reader(body.subarray(4)),
      this.#message('k8s.io.apimachinery.pkg.runtime.Unknown')!,
      undefined,
      true,
    );
    const { typeMeta, raw } = unknown as { typeMeta?: { apiVersion?: string; kind?: string }; raw?: Uint8Array };
    const { apiVersion = '', kind = '' } = typeMeta ?? {};
    const name = messageName(apiVersion, kind);
    const message = this.#message(name);
    if (message === undefined)
      throw StatusError.badRequest(
        `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`,
      );
    return { kind, apiVersion, ...this.#read(new Reader(raw ?? new Uint8Array(0)), message, schemaOf(name), false) };
  }

  #message(name: string): Message | undefined {
    if (this.#messages.has(name)) return this.#messages.get(name);
    const scope = name.split('.');
    let at: Namespace | undefined = this.#root;
    for (const part of scope) at = at?.nested?.[part];
    const message =
      at?.fields === undefined
        ? undefined
        : { fields: new Map(Object.entries(at.fields).map(([field, d]) => [d.id, { ...d, name: field }])), scope };
    this.#messages.set(name, message);
    return message;
  }

  /** Types are named absolutely (`.k8s.io…`) or from an enclosing scope. */
  #resolve(type: string, scope: readonly string[]): { readonly name: string; readonly message: Message } | undefined {
    if (type.startsWith('.')) {
      const message = this.#message(type.slice(1));
      return message === undefined ? undefined : { name: type.slice(1), message };
    }
    for (let depth = scope.length; depth >= 0; depth--) {
      const name = [...scope.slice(0, depth), type].join('.');
      const message = this.#message(name);
      if (message !== undefined) return { name, message };
    }
    return undefined;
  }

  #read(reader: Reader, message: Message, schema: Schema | undefined, keepBytes: boolean): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    while (!reader.done) {
      const tag = reader.varint();
      const field = message.fields.get(Number(tag >> 3n));
      const wire = Number(tag & 7n);
      if (field === undefined) {
        reader.skip(wire);
        continue;
      }
      const known = schema?.type === 'object' ? schema.byName.get(field.name)?.schema : undefined;
      if (field.keyType !== undefined) {
        const map = (out[field.name] ??= {}) as Record<string, unknown>;
        const [key, value] = this.#mapEntry(
          new Reader(reader.bytes()),
          field,
          message,
          known?.type === 'map' ? known.values : undefined,
        );
        map[key] = value;
      } else if (field.rule === 'repeated') {
        const list = (out[field.name] ??= []) as unknown[];
        const items = known?.type === 'list' ? known.items : undefined;
        if (wire === 2 && isVarint(field.type)) {
          const packed = new Reader(reader.bytes());
          while (!packed.done) list.push(this.#value(packed, 0, field, message, items, keepBytes));
        } else list.push(this.#value(reader, wire, field, message, items, keepBytes));
      } else {
        const value = this.#value(reader, wire, field, message, known, keepBytes);
        // Structs that Go embeds are members of their own here, and inline in JSON.
        if (schema?.type === 'object' && known === undefined && isObject(value)) Object.assign(out, value);
        else out[field.name] = value;
      }
    }
    return out;
  }

  #mapEntry(reader: Reader, field: NamedField, message: Message, schema: Schema | undefined): [string, unknown] {
    let key = '';
    let value: unknown = SCALAR_ZERO[field.type] ?? {};
    while (!reader.done) {
      const tag = Number(reader.varint());
      if (tag >> 3 === 1) key = reader.text();
      else if (tag >> 3 === 2) value = this.#value(reader, tag & 7, field, message, schema, false);
      else reader.skip(tag & 7);
    }
    return [key, value];
  }

  #value(
    reader: Reader,
    wire: number,
    field: NamedField,
    message: Message,
    schema: Schema | undefined,
    keepBytes: boolean,
  ): unknown {
    switch (field.type) {
      case 'string':
        return reader.text();
      case 'bytes': {
        const bytes = reader.bytes();
        return keepBytes ? bytes : Buffer.from(bytes).toString('base64');
      }
      case 'bool':
        return reader.varint() !== 0n;
      case 'int32':
      case 'int64':
        return Number(BigInt.asIntN(64, reader.varint()));
      case 'uint32':
      case 'uint64':
        return Number(reader.varint());
      case 'double':
        return reader.double();
    }
    if (wire !== 2) throw new Error(`field ${field.name} has wire type ${wire}`);
    const inner = new Reader(reader.bytes());
    const type = this.#resolve(field.type, message.scope);
    if (type === undefined) throw new Error(`type ${field.type} is not known`);
    return this.#nested(inner, type.name, type.message, schema);
  }

  #nested(reader: Reader, name: string, message: Message, schema: Schema | undefined): unknown {
    switch (name.slice(name.lastIndexOf('.') + 1)) {
      case 'Time':
        return time(this.#read(reader, message, undefined, false), false);
      case 'MicroTime':
        return time(this.#read(reader, message, undefined, false), true);
      case 'Quantity':
        return this.#read(reader, message, undefined, false).string ?? '0';
      case 'IntOrString': {
        const { type = 0, intVal = 0, strVal = '' } = this.#read(reader, message, undefined, false);
        return type === 1 ? strVal : intVal;
      }
      case 'Duration':
        return goDuration((this.#read(reader, message, undefined, false).duration as number | undefined) ?? 0);
      case 'RawExtension':
      case 'FieldsV1':
      case 'JSON': {
        const fields = this.#read(reader, message, undefined, true);
        const raw = (fields.raw ?? fields.Raw) as Uint8Array | undefined;
        return raw === undefined || raw.length === 0
          ? undefined
          : (JSON.parse(Buffer.from(raw).toString('utf8')) as unknown);
      }
    }
    // Lists with a name of their own (Verbs, ExtraValue) are messages with one member here.
    if (schema?.type === 'list') return this.#read(reader, message, undefined, false).items ?? [];
    return this.#read(reader, message, schema ?? schemaOf(name), false);
  }
}

const SCALAR_ZERO: Readonly<Record<string, unknown>> = { string: '', bytes: '', bool: false, int32: 0, int64: 0 };

const isVarint = (type: string): boolean =>
  type === 'int32' || type === 'int64' || type === 'bool' || type === 'uint32' || type === 'uint64';

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function time({ seconds = 0, nanos = 0 }: { seconds?: number; nanos?: number }, micro: boolean): string | null {
  if (seconds === 0 && nanos === 0) return null;
  const text = new Date(seconds * 1000).toISOString().slice(0, 19);
  return micro ? `${text}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z` : `${text}Z`;
}

/** Nanoseconds as Go writes a duration, in whole seconds and parts of one. */
function goDuration(nanos: number): string {
  const seconds = nanos / 1e9;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = `${Number((seconds % 60).toFixed(9))}s`;
  return hours > 0 ? `${hours}h${minutes}m${rest}` : minutes > 0 ? `${minutes}m${rest}` : rest;
}

function schemaOf(messageName: string): Schema | undefined {
  try {
    return schemaByName(
      messageName
        .replace(/^k8s\.io\./, 'io.k8s.')
        .replace('kube_aggregator', 'kube-aggregator')
        .replace('apiextensions_apiserver', 'apiextensions-apiserver'),
    );
  } catch {
    return undefined;
  }
}

/** Groups whose package is not the first part of their name. */
const PACKAGES: Readonly<Record<string, string>> = {
  '': 'k8s.io.api.core',
  'internal.apiserver.k8s.io': 'k8s.io.api.apiserverinternal',
  'apiextensions.k8s.io': 'k8s.io.apiextensions_apiserver.pkg.apis.apiextensions',
  'apiregistration.k8s.io': 'k8s.io.kube_aggregator.pkg.apis.apiregistration',
};
const META_KINDS: ReadonlySet<string> = new Set([
  'DeleteOptions',
  'CreateOptions',
  'UpdateOptions',
  'PatchOptions',
  'ListOptions',
  'GetOptions',
  'Status',
]);

function messageName(apiVersion: string, kind: string): string {
  if (META_KINDS.has(kind)) return `k8s.io.apimachinery.pkg.apis.meta.v1.${kind}`;
  const slash = apiVersion.indexOf('/');
  const group = slash < 0 ? '' : apiVersion.slice(0, slash);
  const version = apiVersion.slice(slash + 1);
  return `${PACKAGES[group] ?? `k8s.io.api.${group.split('.')[0]}`}.${version}.${kind}`;
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new Error('unexpected end');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Error('number too long');
  }

  bytes(): Uint8Array {
    const length = Number(this.varint());
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Error('unexpected end');
    const out = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return out;
  }

  text(): string {
    const bytes = this.bytes();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  }

  double(): number {
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + this.#at, 8);
    this.#at += 8;
    return view.getFloat64(0, true);
  }

  skip(wire: number): void {
    if (wire === 0) this.varint();
    else if (wire === 1) this.#at += 8;
    else if (wire === 2) this.bytes();
    else if (wire === 5) this.#at += 4;
    else throw new Error(`wire type ${wire} is not known`);
  }
}
