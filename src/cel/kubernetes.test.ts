import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { COST_LIMITS, kubernetesEnvironment } from './kubernetes.ts';
import { compile, type Program } from './program.ts';
import { DYN } from './types.ts';

function program(expression: string, minor?: number): Program {
  const compiled = compile(expression, kubernetesEnvironment(minor).extend({ self: DYN }));
  assert.ok(compiled.ok, compiled.ok ? '' : compiled.text);
  return compiled;
}

describe('kubernetesEnvironment', () => {
  const cases: readonly [string, number][] = [
    ["'%d'.format([1])", 29],
    ['optional.of(1)', 28],
    ['self.?a', 28],
    ['1 < 1.5', 28],
    ["quantity('1')", 28],
    ['sets.contains([1], [1])', 29],
    ["ip('1.1.1.1')", 30],
    ['format.uri()', 31],
    ['[1].all(i, v, true)', 32],
    ["semver('1.1.1')", 33],
    ['[1].sortBy(x, x)', 34],
  ];
  for (const [expression, since] of cases)
    it(`knows ${expression} from 1.${since} on`, () => {
      const before = compile(expression, kubernetesEnvironment(since - 1).extend({ self: DYN }));
      assert.equal(before.ok, false);
      assert.ok(program(expression, since).ok);
    });

  it('looks at literal durations from 1.29 on', () => {
    assert.deepEqual(program('duration(self)', 28).evaluate({ self: '1x' }).ok, false);
    const compiled = compile("duration('1x')", kubernetesEnvironment(29));
    assert.ok(!compiled.ok && compiled.text.startsWith('ERROR: <input>:1:10: invalid duration argument'));
  });

  it('leaves out what the original leaves out', () => {
    for (const expression of ['math.abs(1)', 'cel.bind(x, 1, x)', "base64.encode(b'a')", "jsonpatch.escapeKey('a')"])
      assert.equal(compile(expression, kubernetesEnvironment()).ok, false, expression);
  });
});

describe('Program', () => {
  const numbers = Array.from({ length: 1500 }, (_, i) => i);

  it('stops at its budget', () => {
    const nested = program('self.all(x, self.all(y, x * y >= 0))');
    const outcome = nested.evaluate({ self: numbers }, { budget: COST_LIMITS.perCall });
    assert.ok(!outcome.ok && outcome.code === 'budget');
    assert.equal(outcome.message, 'operation cancelled: actual cost limit exceeded');
    assert.ok(outcome.cost < COST_LIMITS.perCall + 10);
  });

  it('is not forgiven its budget by ||', () => {
    const outcome = program('self.all(x, x >= 0) || true').evaluate({ self: numbers }, { budget: 100 });
    assert.ok(!outcome.ok && outcome.code === 'budget');
  });

  it('charges what costs a square before it does it', () => {
    const long = Array.from({ length: 100_000 }, (_, i) => i);
    const start = performance.now();
    const outcome = program('self.distinct()').evaluate({ self: long }, { budget: COST_LIMITS.perCall });
    assert.ok(!outcome.ok && outcome.code === 'budget');
    assert.ok(performance.now() - start < 1000);
  });

  it('matches in linear time', () => {
    const outcome = program("self.matches('^(a+)+$')").evaluate({ self: `${'a'.repeat(2000)}!` });
    assert.ok(outcome.ok && outcome.value === false);
  });

  it('asks for a variable once, and only when it is named', () => {
    let asked = 0;
    const self = (): number => {
      asked += 1;
      return 2;
    };
    assert.deepEqual(program('self + self').evaluate({ self }), { ok: true, value: 4, cost: 3 });
    assert.equal(asked, 1);
    program('true || self == 1').evaluate({ self });
    assert.equal(asked, 1);
  });

  it('says which variables it names', () => {
    assert.deepEqual([...program('[1].all(x, self.a == x)').references], ['self']);
    assert.deepEqual([...program('[1].all(self, self == 1)').references], []);
  });

  it('takes keys for nothing but keys', () => {
    const hostile = JSON.parse('{"__proto__": {"a": 1}, "m": {}}') as unknown;
    assert.deepEqual(program('self.m.constructor').evaluate({ self: hostile }), {
      ok: false,
      code: 'error',
      message: 'no such key: constructor',
      cost: 3,
    });
    assert.ok(
      program("!has(self.m.toString) && self.__proto__.a == 1 && !('valueOf' in self.m)").evaluate({ self: hostile })
        .ok,
    );
  });

  it('reads numbers of JSON exactly', () => {
    const outcome = program('self.a + 1 == 9007199254740993 && self.b == 1.5 && type(self.c) == double').evaluate({
      self: { a: 2 ** 53, b: 1.5, c: 1e300 },
    });
    assert.ok(outcome.ok && outcome.value === true);
  });

  for (const [what, expression] of Object.entries({
    parentheses: `${'('.repeat(5000)}1`,
    'a chain of fields': `self${'.a'.repeat(40_000)}`,
    sums: Array.from({ length: 40_000 }, () => '1').join('+'),
    optMap: `self${'.optMap(x, x)'.repeat(5000)}`,
    characters: '$'.repeat(90_000),
    length: ' '.repeat(200_000),
  }))
    it(`refuses too much of ${what} at once`, () => {
      const start = performance.now();
      assert.equal(compile(expression, kubernetesEnvironment().extend({ self: DYN })).ok, false);
      assert.ok(performance.now() - start < 2000);
    });
});
