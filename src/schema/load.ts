// Schemas of the built-in types, made from generated/schema.ts on first use: the text is parsed once (about 2 ms), an
// object's fields are made when somebody looks at them.
import { schemaText } from '#generated/schema.ts';
import { enumOf } from './enums.ts';
import { defaultOf } from './static-defaults.ts';
import type { AnySchema, Field, ListSchema, ObjectSchema, ScalarSchema, Schema } from './types.ts';

/** Codes: l list type, k map keys, m patch merge key, p patch strategy, a atomic map. */
interface Extras {
  readonly l?: 'atomic' | 'set' | 'map';
  readonly k?: readonly string[];
  readonly m?: string;
  readonly p?: readonly string[];
  readonly a?: 1;
}
type FieldRow = readonly [name: string, type: string, mode: string, extras?: Extras];
type DefinitionRow = readonly [
  name: string,
  fields: readonly FieldRow[],
  atomic: 0 | 1,
  gvks?: readonly [string, string, string][],
];

const CRD = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';

const SCALARS: Readonly<Record<string, ScalarSchema | AnySchema>> = {
  s: { type: 'string' },
  i: { type: 'integer', format: 'int32' },
  l: { type: 'integer', format: 'int64' },
  n: { type: 'number' },
  b: { type: 'boolean' },
  q: { type: 'quantity' },
  x: { type: 'intOrString' },
  t: { type: 'time' },
  m: { type: 'microTime' },
  d: { type: 'duration' },
  y: { type: 'bytes' },
  a: { type: 'any' },
  F: { type: 'any', name: 'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1' },
  R: { type: 'any', name: 'io.k8s.apimachinery.pkg.runtime.RawExtension' },
  J: { type: 'any', name: `${CRD}.JSON` },
  B: { type: 'any', name: `${CRD}.JSONSchemaPropsOrBool` },
  A: { type: 'any', name: `${CRD}.JSONSchemaPropsOrArray` },
  S: { type: 'any', name: `${CRD}.JSONSchemaPropsOrStringArray` },
};

class Definition implements ObjectSchema {
  readonly type = 'object';
  readonly name: string;
  readonly atomic: boolean;
  readonly gvk: readonly [string, string, string] | undefined;
  readonly #row: DefinitionRow;
  readonly #resolve: (code: string, extras?: Extras) => Schema;
  #fields: readonly Field[] | undefined;
  #byName: ReadonlyMap<string, Field> | undefined;

  constructor(row: DefinitionRow, resolve: (code: string, extras?: Extras) => Schema) {
    this.name = row[0];
    this.atomic = row[2] === 1;
    this.gvk = row[3]?.[0];
    this.#row = row;
    this.#resolve = resolve;
  }

  get fields(): readonly Field[] {
    this.#fields ??= this.#row[1].map(
      ([name, type, mode, extras]): Field => ({
        name,
        schema: this.#resolve(type, extras),
        required: mode.endsWith('r'),
        emitEmpty: mode.startsWith('a') || mode.startsWith('s'),
        pointer: mode.startsWith('k'),
        default: defaultOf(this.name, name),
        enum: enumOf(this.name, name),
        ...(extras?.p === undefined ? {} : { patchStrategy: extras.p }),
      }),
    );
    return this.#fields;
  }

  get byName(): ReadonlyMap<string, Field> {
    this.#byName ??= new Map(this.fields.map((f) => [f.name, f]));
    return this.#byName;
  }
}

let definitions: readonly Definition[] | undefined;
let byName: ReadonlyMap<string, Definition> | undefined;

function load(): readonly Definition[] {
  if (definitions !== undefined) return definitions;
  const rows = JSON.parse(schemaText) as readonly DefinitionRow[];
  const all: Definition[] = [];
  const resolve = (code: string, extras?: Extras): Schema => {
    switch (code[0]) {
      case '@':
        return all[Number(code.slice(1))]!;
      case '[':
        return listOf(resolve(code.slice(1)), extras);
      case '{':
        return { type: 'map', values: resolve(code.slice(1)), ...(extras?.a === 1 ? { atomic: true } : {}) };
      default:
        return SCALARS[code]!;
    }
  };
  for (const row of rows) all.push(new Definition(row, resolve));
  definitions = all;
  byName = new Map(all.map((d) => [d.name, d]));
  return all;
}

const listOf = (items: Schema, extras: Extras | undefined): ListSchema => ({
  type: 'list',
  items,
  ...(extras?.l === undefined ? {} : { listType: extras.l }),
  ...(extras?.k === undefined ? {} : { mapKeys: extras.k }),
  ...(extras?.m === undefined ? {} : { patchMergeKey: extras.m }),
  ...(extras?.p === undefined ? {} : { patchStrategy: extras.p }),
});

/** The schema of an upstream definition (`io.k8s.api.core.v1.Pod`). Throws on names that do not exist. */
export function schemaByName(definition: string): ObjectSchema {
  load();
  const found = byName!.get(definition);
  if (found === undefined) throw new Error(`no schema named ${definition}`);
  return found;
}
