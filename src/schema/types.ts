// Types as data: the shape of one API type, as the generator writes it and as CRD schemas are turned into. Field order
// is upstream's emission order.

export type Schema = ObjectSchema | MapSchema | ListSchema | ScalarSchema | AnySchema;

/** Anything goes, kept as it is (RawExtension, JSON, FieldsV1, preserve-unknown-fields). */
export interface AnySchema {
  readonly type: 'any';
  /** Upstream's definition name where it has one. */
  readonly name?: string;
}

export interface ScalarSchema {
  readonly type:
    | 'string'
    | 'integer'
    | 'number'
    | 'boolean'
    | 'quantity'
    | 'intOrString'
    | 'time'
    | 'microTime'
    | 'duration'
    | 'bytes';
  /** int32 or int64 for integers. */
  readonly format?: string;
}

export interface MapSchema {
  readonly type: 'map';
  readonly values: Schema;
  readonly atomic?: boolean;
}

export interface ListSchema {
  readonly type: 'list';
  readonly items: Schema;
  readonly listType?: 'atomic' | 'set' | 'map';
  /** For listType map: the keys that identify an item. */
  readonly mapKeys?: readonly string[];
  /** For strategic merge patch. */
  readonly patchMergeKey?: string;
  readonly patchStrategy?: readonly string[];
}

export interface ObjectSchema {
  readonly type: 'object';
  /** Upstream's definition name (`io.k8s.api.core.v1.PodSpec`); schemas are shared by name. */
  readonly name?: string;
  readonly fields: readonly Field[];
  /** Same fields by name. */
  readonly byName: ReadonlyMap<string, Field>;
  readonly atomic?: boolean;
  /** [group, version, kind], when the definition is an API object. */
  readonly gvk?: readonly [string, string, string];
}

export interface Field {
  readonly name: string;
  /** Resolved lazily: schemas are recursive. */
  readonly schema: Schema;
  readonly required: boolean;
  /** What upstream's encoder does with the zero value: drop it, or write it (`"creationTimestamp": null`, `status: {}`). */
  readonly emitEmpty?: boolean;
  /** An explicit zero value is kept ("", 0, false, [], {}): upstream has a pointer here. Without it and emitEmpty zero values are dropped. */
  readonly pointer?: boolean;
  /** Value used when the field is absent on write. */
  readonly default?: unknown;
  /** The words that the value, or an item of the list or map, is one of, as the API description tells. */
  readonly enum?: readonly string[];
  readonly patchStrategy?: readonly string[];
}
