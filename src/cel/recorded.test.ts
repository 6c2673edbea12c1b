// Every expression of recorded.json says here what it says in the original: messages letter for letter, types, values, the
// cost of running it and the estimate.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import recorded from './recorded.json' with { type: 'json' };
import type { CelEnvironment } from './environment.ts';
import { formatDouble } from './conversions.ts';
import { kubernetesEnvironment } from './kubernetes.ts';
import {
  AUTHORIZER_TYPE,
  type AuthorizationAnswer,
  type AuthorizationQuestion,
  makeAuthorizer,
} from './libraries/authorizer.ts';
import { compile } from './program.ts';
import { type OpenApiSchema, typeOfOpenApi } from './schema-types.ts';
import { type CelType, DYN, formatType } from './types.ts';
import { CelMap, Double, isOpaque, isPlainObject, Optional, TypeValue, Uint, type Value } from './values.ts';

interface Case {
  readonly expr: string;
  readonly issues?: string;
  readonly type?: string;
  readonly value?: unknown;
  readonly error?: string;
  readonly cost?: number;
  readonly min?: number;
  readonly max?: number;
}

/** The authorizer that the cases were recorded with. */
function authorize(question: AuthorizationQuestion): AuthorizationAnswer {
  const { verb, group, resource, subresource, namespace, name, path, serviceAccount } = question;
  if (verb === 'get' || verb === 'check') return { allowed: true, reason: 'because' };
  if (verb === 'fail') return { allowed: false, reason: 'r', error: 'boom' };
  const user =
    serviceAccount === undefined ? 'u' : `system:serviceaccount:${serviceAccount.namespace}:${serviceAccount.name}`;
  const asked = [verb, group, resource, subresource, namespace, name, path, user];
  return { allowed: false, reason: asked.map((part) => part ?? '').join(' ') };
}

/** As protobuf writes a value in JSON, which is how values were recorded. */
function toJson(value: Value): unknown {
  if (value instanceof Double) return Number.isFinite(value.value) ? value.value : formatDouble(value.value);
  if (value instanceof Uint) return Number(value.value);
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof TypeValue) return value.name;
  if (value instanceof Optional) return value.present ? toJson(value.value) : null;
  if (Array.isArray(value)) return value.map(toJson);
  if (value instanceof CelMap)
    return Object.fromEntries([...value.entries.values()].map(([key, inner]) => [String(toJson(key)), toJson(inner)]));
  if (isOpaque(value)) return JSON.parse(JSON.stringify(value)) as unknown;
  if (typeof value === 'object' && value !== null && isPlainObject(value))
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toJson(inner)]));
  return value;
}

/** The reference names types by their message. */
const referenceName = (type: CelType): string =>
  formatType(type).replaceAll(
    /\b(timestamp|duration)\b/g,
    (name) => `google.protobuf.${name[0]!.toUpperCase()}${name.slice(1)}`,
  );

/** Estimates beyond what a number holds exactly are equal when they are next to each other. */
const isNear = (a: number, b: number): boolean => Math.abs(a - b) <= Math.abs(b) * 1e-12;

function check(recordedCase: Case, env: CelEnvironment, variables: Readonly<Record<string, unknown>>): void {
  const program = compile(recordedCase.expr, env);
  if (!program.ok) {
    assert.equal(program.text, recordedCase.issues ?? recordedCase.error);
    return;
  }
  assert.equal(recordedCase.issues, undefined);
  assert.equal(referenceName(program.type), recordedCase.type);
  const estimate = program.estimateCost();
  assert.ok(isNear(estimate.min, recordedCase.min!), `at least ${estimate.min}, not ${recordedCase.min}`);
  assert.ok(isNear(estimate.max, recordedCase.max!), `at most ${estimate.max}, not ${recordedCase.max}`);
  const outcome = program.evaluate(variables);
  assert.equal(outcome.ok ? undefined : outcome.message, recordedCase.error);
  if (!outcome.ok) return;
  assert.equal(outcome.cost, recordedCase.cost);
  if ('value' in recordedCase) assert.deepEqual(toJson(outcome.value), recordedCase.value);
}

describe('compile', () => {
  const untyped = kubernetesEnvironment().extend({ self: DYN, authorizer: AUTHORIZER_TYPE });
  const authorizer = makeAuthorizer(authorize);
  for (const recordedCase of recorded.untyped as unknown as readonly Case[])
    it(`answers as the original: ${recordedCase.expr}`, () =>
      check(recordedCase, untyped, { self: recorded.self, authorizer }));

  const typed = kubernetesEnvironment().extend({
    self: typeOfOpenApi(recorded.schema as unknown as OpenApiSchema, 'selfType')!,
  });
  for (const recordedCase of recorded.typed as unknown as readonly Case[])
    it(`answers as the original, with a schema: ${recordedCase.expr}`, () =>
      check(recordedCase, typed, { self: recorded.object }));
});
