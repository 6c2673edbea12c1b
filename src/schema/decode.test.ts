import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StatusError } from '#machinery/status.ts';
import { decodeObject, strictDecodingError } from './decode.ts';
import { schemaByName } from './load.ts';

const POD = schemaByName('io.k8s.api.core.v1.Pod');
const decode = (value: unknown, definition = 'io.k8s.api.core.v1.Pod') =>
  decodeObject(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), schemaByName(definition), {
    kind: 'Pod',
    version: 'v1',
  });

describe('decodeObject', () => {
  it('writes fields in upstream order, their defaults, and what upstream always writes', () => {
    const { object } = decode({
      metadata: { name: 'a', creationTimestamp: null },
      spec: { containers: [{ image: 'i', name: 'c' }] },
      apiVersion: 'v1',
      kind: 'Pod',
    });
    assert.equal(
      JSON.stringify(object),
      '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"spec":{"containers":[{"name":"c","image":"i","resources":{},' +
        '"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,' +
        '"dnsPolicy":"ClusterFirst","securityContext":{},"schedulerName":"default-scheduler"},"status":{}}',
    );
  });

  it('drops zero values except where upstream has a pointer', () => {
    const { object } = decode({
      spec: { hostNetwork: false, automountServiceAccountToken: false, nodeName: '', containers: null, volumes: [] },
    });
    const { spec } = object as unknown as { spec: Record<string, unknown> };
    assert.deepEqual(
      ['containers', 'automountServiceAccountToken', 'hostNetwork', 'nodeName', 'volumes'].map((f) => spec[f]),
      [null, false, undefined, undefined, undefined],
    );
  });

  it('sorts map keys and makes quantities canonical', () => {
    const { object } = decode({
      metadata: { labels: { b: '1', a: '2' } },
      spec: { containers: [{ name: 'c', resources: { limits: { memory: '1024Mi', cpu: 1.5 } } }] },
    });
    assert.match(JSON.stringify(object), /"labels":\{"a":"2","b":"1"\}/);
    assert.match(JSON.stringify(object), /"limits":\{"cpu":"1500m","memory":"1Gi"\}/);
  });

  it('reports unknown and duplicate fields with their paths', () => {
    const { strictErrors } = decode(
      '{"metadata":{"name":"a"},"spec":{"foo":1,"containers":[{"name":"c","name":"d","imagee":{"x":1}}]}}',
    );
    assert.deepEqual(strictErrors, [
      'unknown field "spec.foo"',
      'unknown field "spec.containers[0].imagee"',
      'duplicate field "spec.containers[0].name"',
    ]);
  });

  it('does not mistake case for the field', () => {
    assert.deepEqual(decode({ spec: { HostNetwork: true } }).strictErrors, ['unknown field "spec.HostNetwork"']);
  });

  it('makes the Strict error in upstream words', () => {
    const error = strictDecodingError({ kind: 'Pod', apiVersion: 'v1' }, ['unknown field "spec.foo"'], { kind: 'Pod' });
    assert.equal(
      error.message,
      'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.foo"',
    );
  });

  const wrong: readonly (readonly [string, unknown, RegExp])[] = [
    [
      'a string for a bool',
      { spec: { hostNetwork: 'yes' } },
      /cannot be handled as a Pod: json: cannot unmarshal string into Go struct field PodSpec\.spec\.hostNetwork of type bool$/,
    ],
    [
      'a number for a string',
      { spec: { containers: [{ env: [{ name: 'a', value: 5 }] }] } },
      /json: cannot unmarshal number into Go struct field EnvVar\.spec\.containers\.env\.value of type string$/,
    ],
    [
      'an object for a list',
      { spec: { containers: {} } },
      /json: cannot unmarshal object into Go struct field PodSpec\.spec\.containers of type \[\]v1\.Container$/,
    ],
    [
      'a bad quantity',
      { spec: { containers: [{ resources: { limits: { cpu: 'x' } } }] } },
      /quantities must match the regular expression/,
    ],
    ['no JSON', '{', /json parse error/],
    ['nothing at all', '', /json parse error: unexpected end of JSON input \(<empty>\)$/],
  ];
  for (const [name, value, message] of wrong) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => decode(value),
        (error) => error instanceof StatusError && error.code === 400 && message.test(error.message),
      );
    });
  }

  it('keeps free-form values as they are', () => {
    const { object, strictErrors } = decode({ metadata: { managedFields: [{ fieldsV1: { 'f:b': {}, 'f:a': {} } }] } });
    assert.equal(strictErrors.length, 0);
    assert.match(JSON.stringify(object), /"fieldsV1":\{"f:b":\{\},"f:a":\{\}\}/);
  });

  it('refuses documents that nest too deep', () => {
    assert.throws(() => decode('['.repeat(2000)), /max depth/);
  });

  it('gives the same bytes again for an object in normal form', () => {
    const once = JSON.stringify(
      decode({ metadata: { name: 'x' }, spec: { containers: [{ name: 'c', ports: [{ containerPort: 1 }] }] } }).object,
    );
    assert.equal(JSON.stringify(decodeObject(Buffer.from(once), POD).object), once);
  });
});
