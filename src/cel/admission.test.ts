import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { admissionEnvironment, misnamedObject } from './admission.ts';
import { makeAuthorizer, makeRequestResource } from './libraries/authorizer.ts';
import { compile, type Evaluation } from './program.ts';
import { toJson } from './to-json.ts';
import { INT } from './types.ts';
import { Lazy } from './values.ts';

const env = admissionEnvironment({ params: true, authorizer: true, patches: true, variables: { x: INT } });

function evaluate(expression: string, variables: Readonly<Record<string, unknown>> = {}): Evaluation {
  const program = compile(expression, env);
  assert.ok(program.ok, program.ok ? '' : program.text);
  return program.evaluate(variables);
}

describe('admissionEnvironment', () => {
  const written: readonly [string, unknown, number][] = [
    ['Object{spec: Object.spec{replicas: 1}}', { spec: { replicas: 1 } }, 80],
    ['Object{items: [Object.items{name: "x"}]}', { items: [{ name: 'x' }] }, 90],
    ['Object{a: null, ?b: optional.none()}', { a: null }, 41],
    ['[JSONPatch{op: "add", path: "/a", value: 1}]', [{ op: 'add', path: '/a', value: 1 }], 50],
    ['JSONPatch{op: "add", path: "/" + jsonpatch.escapeKey("a/b")}', { op: 'add', path: '/a~1b' }, 42],
    ['Object{a: 1}.a', 1, 42],
    ['Object{a: 1} == Object{a: 1}', true, 81],
  ];
  for (const [expression, json, cost] of written)
    it(`writes ${expression}`, () => {
      const outcome = evaluate(expression);
      assert.ok(outcome.ok);
      assert.deepEqual(toJson(outcome.value), json);
      assert.equal(outcome.cost, cost);
    });

  const refused: readonly [string, string][] = [
    ['JSONPatch{op: 1}', "ERROR: <input>:1:13: expected type of field 'op' is 'string' but provided type is 'int'"],
    ['Foo{a: 1}', "ERROR: <input>:1:4: undeclared reference to 'Foo' (in container '')"],
    ['request.foo', "ERROR: <input>:1:8: undefined field 'foo'"],
    ['namespaceObject.metadata.foo', "ERROR: <input>:1:25: undefined field 'foo'"],
    ['variables.y', "ERROR: <input>:1:10: undefined field 'y'"],
    [
      'authorizer.requestResource.foo',
      "ERROR: <input>:1:27: unexpected failed resolution of 'kubernetes.authorization.ResourceCheck'",
    ],
  ];
  for (const [expression, message] of refused)
    it(`refuses ${expression}`, () => {
      const compiled = compile(expression, env);
      assert.ok(!compiled.ok);
      assert.equal(compiled.text.split('\n')[0], message);
    });

  it('computes a policy variable when it is first read', () => {
    let computed = 0;
    const x = new Lazy(() => {
      computed += 1;
      return 5;
    });
    assert.deepEqual(evaluate('variables.x + variables.x', { variables: { x } }), { ok: true, value: 10, cost: 5 });
    assert.equal(computed, 1);
  });

  it('asks the authorizer for the resource of the request', () => {
    const asked: unknown[] = [];
    const authorize = (question: unknown): { allowed: boolean; reason: string } => {
      asked.push(question);
      return { allowed: true, reason: '' };
    };
    const outcome = evaluate("authorizer.requestResource.check('update').allowed()", {
      authorizer: makeAuthorizer(authorize),
      'authorizer.requestResource': makeRequestResource(authorize, { group: '', resource: 'pods', name: 'a' }),
    });
    assert.deepEqual(outcome, { ok: true, value: true, cost: 350_002 });
    assert.deepEqual(asked, [{ group: '', resource: 'pods', name: 'a', verb: 'update' }]);
  });

  it('knows the fields of the request', () => {
    const request = { userInfo: { username: 'jane', groups: ['dev'] }, operation: 'CREATE', dryRun: false };
    const outcome = evaluate("request.userInfo.groups[0] == 'dev' && !request.dryRun", { request });
    assert.ok(outcome.ok && outcome.value === true);
  });
});

describe('misnamedObject', () => {
  it('finds an object that does not stand where its type says', () => {
    const outcome = evaluate('Object{spec: Object.foo{replicas: 1}}');
    assert.ok(outcome.ok);
    assert.equal(
      misnamedObject(outcome.value),
      'unexpected type name "Object.foo", expected "Object.spec", which matches field name path from root Object type',
    );
    const right = evaluate('Object{spec: Object.spec{c: [Object.spec.c{name: "a"}]}}');
    assert.equal(right.ok ? misnamedObject(right.value) : '', undefined);
  });
});
