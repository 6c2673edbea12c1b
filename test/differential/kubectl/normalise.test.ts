import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { normalise, withoutDescriptions } from './normalise.ts';
import { casesOf, wordsOf } from './script.ts';
import { SCRIPTS } from './scripts.ts';

const WORLD = { url: 'https://127.0.0.1:6443', nodeIPs: ['192.0.2.11'] };
const told = (text: string): string => normalise(text, WORLD, ['/tmp/x/script', '/tmp/x']);

describe('normalise', () => {
  it('replaces what two clusters cannot have in common', () => {
    const text = [
      'pod/web-5d4f8b7c9d-x2x4z 1/1  Running  0  2m3s  10.244.1.7  node-2 (192.0.2.11)',
      'https://127.0.0.1:6443/api 2026-11-22T20:17:13Z resourceVersion: "77" /tmp/x/script/a.yaml',
      'uid: 6c1f0d1e-8a52-4a3b-9a36-0d6d5a1b2c3d 80:31234/TCP 10.96.4.2 pod-template-hash=5d4f8b7c9d',
    ].join('\n');
    assert.equal(
      told(text),
      [
        'pod/web-<suffix>-<suffix> 1/1  Running  0  <age>  <pod-ip>  <node> (<node-ip>)',
        'https://<server>/api <time> resourceVersion: "<rv>" <folder>/a.yaml',
        'uid: <uid> 80:<node-port>/TCP <service-ip> pod-template-hash=<suffix>',
      ].join('\n'),
    );
  });

  for (const text of [
    'The Pod "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    'Liveness:  http-get http://:80/x delay=5s timeout=1s period=10s #success=1 #failure=3',
    'web    2/2     80',
    'node.kubernetes.io/not-ready:NoExecute op=Exists for 300s',
    'restartPolicy: Always',
  ])
    it(`keeps ${JSON.stringify(text)}`, () => assert.equal(told(text), text));

  it('keeps the width of columns in which nothing was replaced, block by block', () => {
    assert.equal(
      told('NAME   DATA\na      1\n\nNAME   AGE\na      5s\n'),
      'NAME   DATA\na      1\n\nNAME  AGE\na  <age>\n',
    );
  });

  it('puts events in order, which those of one second have not', () => {
    const head = 'Events:\n  Type    Reason\n  ----    ------\n';
    assert.equal(
      told(`${head}  Normal  Started\n  Normal  Created\n`),
      `${head}  Normal  Created\n  Normal  Started\n`,
    );
  });
});

describe('withoutDescriptions', () => {
  it('keeps fields, types and words', () => {
    const text =
      'KIND:       Pod\nVERSION:    v1\n\nDESCRIPTION:\n    A pod.\n\nFIELDS:\n  spec\t<PodSpec>\n    What is wanted.\n\n  kind\t<string>\n  enum: A, B\n';
    assert.equal(
      withoutDescriptions(text),
      'KIND:       Pod\nVERSION:    v1\nFIELDS:\n  spec\t<PodSpec>\n  kind\t<string>\n  enum: A, B\n',
    );
  });
});

describe('wordsOf', () => {
  it('reads a line as a shell does', () => {
    assert.deepEqual(wordsOf(`patch x -p '{"a": 1}' --b="c d" ""`), ['patch', 'x', '-p', '{"a": 1}', '--b=c d', '']);
    assert.throws(() => wordsOf("a 'b"));
  });
});

describe('SCRIPTS', () => {
  it('have names, namespaces and ids of their own', () => {
    const ids = SCRIPTS.flatMap((s) => casesOf(s).map((c) => c.id));
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(new Set(SCRIPTS.map((s) => s.name)).size, SCRIPTS.length);
  });

  it('are typed without mistakes in quoting', () => {
    for (const script of SCRIPTS) for (const { step } of casesOf(script)) assert.ok(wordsOf(step.run).length > 0);
  });
});
