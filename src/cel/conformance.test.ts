// The public cel-spec conformance suite, as @bufbuild/cel-spec carries it: every case whose subject is not protocol buffer
// messages, which Kubernetes' expressions never see.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { tests } from '@bufbuild/cel-spec/testdata/conformance.js';
import { createEnvironment } from './environment.ts';
import { equals } from './equality.ts';
import { FULL_LIBRARIES, FULL_MACROS } from './full.ts';
import { insert, type Entries } from './map-entries.ts';
import { compile } from './program.ts';
import { parseDuration, parseTimestamp } from './times.ts';
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  DYN,
  formatType,
  INT,
  listOf,
  mapOf,
  NULL,
  opaque,
  param,
  STRING,
  TIMESTAMP,
  typeOf,
  UINT,
  wrapperOf,
} from './types.ts';
import { adapt, canonicalInt, CelMap, Double, TypeValue, typeNameOf, Uint, type Value } from './values.ts';

interface Suite {
  readonly name: string;
  readonly suites?: readonly Suite[];
  readonly tests?: readonly { readonly original: Original; readonly type?: string; readonly error?: string }[];
}

interface Original {
  readonly name?: string;
  readonly expr: string;
  readonly container?: string;
  readonly value?: JsonValue;
  readonly evalError?: unknown;
  readonly typedResult?: { readonly result?: JsonValue };
  readonly disableCheck?: boolean;
  readonly checkOnly?: boolean;
  readonly typeEnv?: readonly {
    readonly name: string;
    readonly ident?: { readonly type: JsonType };
    readonly function?: unknown;
  }[];
  readonly bindings?: Readonly<Record<string, { readonly value?: JsonValue }>>;
}

interface JsonValue {
  readonly int64Value?: string;
  readonly uint64Value?: string;
  readonly doubleValue?: number | string;
  readonly stringValue?: string;
  readonly bytesValue?: string;
  readonly boolValue?: boolean;
  readonly nullValue?: null;
  readonly listValue?: { readonly values?: readonly JsonValue[] };
  readonly mapValue?: { readonly entries?: readonly { readonly key: JsonValue; readonly value: JsonValue }[] };
  readonly typeValue?: string;
  readonly objectValue?: { readonly '@type': string; readonly value?: unknown };
  readonly enumValue?: unknown;
}

interface JsonType {
  readonly primitive?: string;
  readonly wellKnown?: string;
  readonly wrapper?: string;
  readonly listType?: { readonly elemType: JsonType };
  readonly mapType?: { readonly keyType: JsonType; readonly valueType: JsonType };
  readonly abstractType?: { readonly name: string; readonly parameterTypes?: readonly JsonType[] };
  readonly messageType?: string;
  readonly typeParam?: string;
  readonly type?: JsonType;
  readonly null?: null;
}

/** Whole files of the suite that are not for Kubernetes. */
const SUITES_ELSEWHERE: Readonly<Record<string, string>> = {
  proto2: 'messages of protocol buffers',
  proto2_ext: 'extensions of messages of protocol buffers',
  proto3: 'messages of protocol buffers',
  enums: 'enumerations of protocol buffers',
  wrappers: 'wrapper messages of protocol buffers',
  dynamic: 'JSON and wrapper messages of protocol buffers',
  block_ext: 'cel.block() is what optimizers write, not people',
};

/** Single cases with a reason. Each must fail: one that passes leaves the list. */
const EXPECTED_FAILURES: Readonly<Record<string, string>> = {
  'string_ext/value_errors/indexof_out_of_range': 'as in Kubernetes, nothing is found behind the end',
  'string_ext/value_errors/lastindexof_out_of_range': 'as in Kubernetes, nothing is found behind the end',
};

const MESSAGES =
  /TestAllTypes|NestedTestAllTypes|google\.protobuf\.(?!Timestamp|Duration)|google\.type|GlobalEnum|proto\.|\bcel\.expr\b/;

function isElsewhere(test: Original): boolean {
  const text = JSON.stringify([test.expr, test.typeEnv, test.bindings, test.value, test.typedResult, test.container]);
  return (
    MESSAGES.test(text) ||
    JSON.stringify(test.typeEnv ?? '').includes('"function"') ||
    test.value?.enumValue !== undefined
  );
}

function toValue(json: JsonValue): Value {
  if (json.int64Value !== undefined) return canonicalInt(BigInt(json.int64Value));
  if (json.uint64Value !== undefined) return new Uint(BigInt(json.uint64Value));
  if (json.doubleValue !== undefined) return new Double(Number(json.doubleValue));
  if (json.stringValue !== undefined) return json.stringValue;
  if (json.bytesValue !== undefined) return new Uint8Array(Buffer.from(json.bytesValue, 'base64'));
  if (json.boolValue !== undefined) return json.boolValue;
  if (json.listValue !== undefined) return (json.listValue.values ?? []).map(toValue);
  if (json.typeValue !== undefined) return new TypeValue(json.typeValue);
  if (json.mapValue !== undefined) {
    const entries: Entries = new Map();
    for (const { key, value } of json.mapValue.entries ?? []) insert(entries, toValue(key), toValue(value));
    return new CelMap(entries);
  }
  if (json.objectValue !== undefined) {
    const text = String(json.objectValue.value);
    return json.objectValue['@type'].endsWith('Timestamp') ? parseTimestamp(text) : parseDuration(text);
  }
  return null;
}

const PRIMITIVES: Readonly<Record<string, CelType>> = {
  BOOL,
  BYTES,
  DOUBLE,
  INT64: INT,
  STRING,
  UINT64: UINT,
  TIMESTAMP,
  DURATION,
  ANY: DYN,
};

function toType(json: JsonType): CelType {
  if (json.primitive !== undefined) return PRIMITIVES[json.primitive]!;
  if (json.wellKnown !== undefined) return PRIMITIVES[json.wellKnown]!;
  if (json.wrapper !== undefined) return wrapperOf(PRIMITIVES[json.wrapper] as never);
  if (json.listType !== undefined) return listOf(toType(json.listType.elemType));
  if (json.mapType !== undefined) return mapOf(toType(json.mapType.keyType), toType(json.mapType.valueType));
  if (json.abstractType !== undefined)
    return opaque(json.abstractType.name, ...(json.abstractType.parameterTypes ?? []).map(toType));
  if (json.typeParam !== undefined) return param(json.typeParam);
  if (json.type !== undefined) return typeOf(toType(json.type));
  return json.null === null ? NULL : DYN;
}

/** Equal in type and value, where NaN is NaN. */
function same(a: Value, b: Value): boolean {
  if (a instanceof Double && b instanceof Double && Number.isNaN(a.value)) return Number.isNaN(b.value);
  return equals(a, b) && typeNameOf(adapt(a)) === typeNameOf(adapt(b));
}

function check(test: Original): void {
  const variables = Object.fromEntries(
    (test.typeEnv ?? []).filter((d) => d.ident !== undefined).map((d) => [d.name, toType(d.ident!.type)]),
  );
  for (const name of Object.keys(test.bindings ?? {})) variables[name] ??= DYN;
  const env = createEnvironment({
    libraries: FULL_LIBRARIES,
    macros: FULL_MACROS,
    variables,
    container: test.container,
    optionalSyntax: true,
    escapedIdentifiers: true,
  });
  const program = compile(test.expr, env);
  if (!program.ok) {
    // Kubernetes evaluates nothing that was not checked; what the checker refuses counts where evaluation is to fail, or where
    // the case says that it is not to be checked.
    assert.ok(
      test.disableCheck === true || (test.evalError !== undefined && program.stage === 'program'),
      program.text,
    );
    return;
  }
  if (test.checkOnly === true) return;
  const bindings = Object.entries(test.bindings ?? {}).map(([name, { value }]) => [name, toValue(value!)] as const);
  const outcome = program.evaluate(Object.fromEntries(bindings));
  if (test.evalError !== undefined) {
    assert.equal(outcome.ok, false, `should fail: ${JSON.stringify(outcome)}`);
    return;
  }
  assert.ok(outcome.ok, `${outcome.ok ? '' : outcome.message} (type ${formatType(program.type)})`);
  const wanted = test.value ?? test.typedResult?.result ?? { boolValue: true };
  assert.ok(same(outcome.value, toValue(wanted)), `got ${show(outcome.value)}, wanted ${show(toValue(wanted))}`);
}

const show = (value: Value): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'bigint' ? `${inner}n` : inner instanceof CelMap ? [...inner.entries] : inner,
  );

function run(suite: Suite, path: string): void {
  for (const inner of suite.suites ?? []) run(inner, `${path}/${inner.name}`);
  (suite.tests ?? []).forEach(({ original }, i) => {
    if (isElsewhere(original)) return;
    const name = `${path}/${original.name ?? i}`;
    const reason = EXPECTED_FAILURES[name];
    it(`evaluates ${name}${reason === undefined ? '' : ` not as cel-spec does: ${reason}`}`, () => {
      if (reason === undefined) check(original);
      else assert.throws(() => check(original));
    });
  });
}

describe('compile', () => {
  for (const suite of (tests as Suite).suites!) if (SUITES_ELSEWHERE[suite.name] === undefined) run(suite, suite.name);
});
