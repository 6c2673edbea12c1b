import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LINKER_FLAGS, PROGRAMS, type Program } from './programs.ts';
import { chosenPrograms, goProblem, parseGoVersion, requiredGo, stampOf } from './stamps.ts';

const program: Program = { name: 'a', module: 'etcd', package: 'example.org/a', why: '' };
const files = { mod: 'module x', sum: 'h1:abc' };

describe('stampOf', () => {
  const stamp = stampOf(program, files, '1.26.8');
  it('is the same for the same program', () => {
    assert.equal(stampOf({ ...program, why: 'another reason' }, { ...files }, '1.26.8'), stamp);
  });
  for (const [what, other] of Object.entries({
    'go.sum': stampOf(program, { ...files, sum: 'h1:abd' }, '1.26.8'),
    'go.mod': stampOf(program, { ...files, mod: 'module y' }, '1.26.8'),
    Go: stampOf(program, files, '1.26.9'),
    package: stampOf({ ...program, package: 'example.org/b' }, files, '1.26.8'),
    'kind of build': stampOf({ ...program, isTest: true }, files, '1.26.8'),
  })) {
    it(`changes with the ${what}`, () => assert.notEqual(other, stamp));
  }
});

describe('chosenPrograms', () => {
  it('is everything when nothing is named', () => {
    assert.deepEqual(chosenPrograms([]), { programs: PROGRAMS, runtime: true, unknown: [] });
  });
  it('keeps the order of the list', () => {
    const { programs, runtime } = chosenPrograms(['kubelet', 'etcd']);
    assert.deepEqual([programs.map((p) => p.name), runtime], [['etcd', 'kubelet'], false]);
  });
  it('names what there is not', () => {
    assert.deepEqual(chosenPrograms(['runtime', 'kubectl']), { programs: [], runtime: true, unknown: ['kubectl'] });
  });
});

describe('goProblem', () => {
  const cases = [
    { output: undefined, says: /there is no `go` in PATH: install Go 1\.26\.0 or newer/ },
    {
      output: 'go version go1.25.9 linux/amd64',
      says: /^Go 1\.25\.9 is too old for the reference, which asks for 1\.26\.0/,
    },
    { output: 'go version go1.9 linux/amd64', says: /^Go 1\.9 is too old/ },
    { output: 'command not found', says: /no version/ },
  ];
  for (const { output, says } of cases) it(`refuses ${output}`, () => assert.match(goProblem(output, '1.26.0')!, says));
  for (const output of ['go version go1.26.0 linux/amd64', 'go version go1.26.8 linux/amd64', 'go version go2.0 a/b']) {
    it(`takes ${output}`, () => assert.equal(goProblem(output, '1.26.0'), undefined));
  }
});

describe('requiredGo and parseGoVersion', () => {
  it('read go.mod and `go version`', () => {
    assert.equal(requiredGo('module x\n\ngo 1.26.0\n\nrequire (\n'), '1.26.0');
    assert.equal(parseGoVersion('go version go1.27rc1 linux/amd64'), '1.27');
  });
});

describe('LINKER_FLAGS', () => {
  it('stamp the release, which version checks of kubectl and of the suite read', () => {
    assert.equal(
      LINKER_FLAGS,
      '-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36',
    );
  });
});
