// Objects made from the schema: a value for every field of a type, valid where the field's name says what it wants, and whatever the
// type allows elsewhere. What the original makes of it is what the case is about.
import type { Field, Schema } from '#schema/types.ts';

/** Where a type contains itself (JSON schemas). */
const MAX_DEPTH = 7;

/** By the field's name, whatever type it is in. */
const BY_NAME: Readonly<Record<string, unknown>> = {
  apiVersion: 'v1',
  name: 'sample',
  namespace: 'default',
  generateName: 'sample-',
  image: 'example.com/image:1',
  protocol: 'TCP',
  ip: '192.0.2.7',
  hostIP: '192.0.2.8',
  podIP: '192.0.2.9',
  clusterIP: 'None',
  hostname: 'host',
  subdomain: 'sub',
  nodeName: 'node-1',
  schedulerName: 'scheduler',
  path: 'path',
  mountPath: '/mount',
  subPath: 'sub',
  key: 'key',
  operator: 'In',
  effect: 'NoSchedule',
  topologyKey: 'kubernetes.io/hostname',
  restartPolicy: 'Always',
  dnsPolicy: 'Default',
  imagePullPolicy: 'Always',
  pathType: 'Prefix',
  schedule: '0 * * * *',
  timeZone: 'Etc/UTC',
  port: 80,
  containerPort: 80,
  targetPort: 'http',
  hostPort: 8080,
  nodePort: 30123,
  storageClassName: 'fast',
  volumeMode: 'Filesystem',
  accessModes: ['ReadWriteOnce'],
  verbs: ['get'],
  apiGroups: ['apps'],
  resources: ['deployments'],
  expression: 'true',
  driver: 'driver.example.com',
  driverName: 'driver.example.com',
  signerName: 'example.com/signer',
  conditionType: 'example.com/ready',
  completionMode: 'Indexed',
  concurrencyPolicy: 'Forbid',
  type: 'Sample',
  status: 'True',
  url: 'https://example.com/',
  caBundle: 'AA==',
  cidrs: ['2001:db8:1::/112'],
  sessionAffinity: 'ClientIP',
  internalTrafficPolicy: 'Local',
  externalTrafficPolicy: 'Local',
  ipFamilyPolicy: 'SingleStack',
  ipFamilies: ['IPv4'],
  policyTypes: ['Ingress'],
  uid: '7c1c4f9e-0000-4000-8000-000000000001',
};

const SCALARS: Readonly<Record<string, unknown>> = {
  string: 'sample',
  integer: 3,
  number: 1.5,
  boolean: true,
  quantity: '2',
  intOrString: '25%',
  time: '2021-02-03T04:05:06Z',
  microTime: '2021-02-03T04:05:06.000007Z',
  duration: '1m0s',
  bytes: 'c2FtcGxl',
};

/** A value of this type with every field filled in. */
export function sampleOf(schema: Schema, name = '', depth = 0): unknown {
  if (schema.type !== 'object' && name in BY_NAME && fits(schema, BY_NAME[name])) return BY_NAME[name];
  switch (schema.type) {
    case 'object':
      return depth >= MAX_DEPTH
        ? {}
        : Object.fromEntries(schema.fields.map((f) => [f.name, sampleOf(f.schema, f.name, depth + 1)]));
    case 'map':
      return depth >= MAX_DEPTH ? {} : { 'example.com/sample': sampleOf(schema.values, '', depth + 1) };
    case 'list':
      return depth >= MAX_DEPTH ? [] : [sampleOf(schema.items, singular(name), depth + 1)];
    case 'any':
      return { sample: true };
    default:
      return SCALARS[schema.type];
  }
}

const singular = (name: string): string => (name.endsWith('s') ? name.slice(0, -1) : name);

function fits(schema: Schema, value: unknown): boolean {
  if (schema.type === 'list') return Array.isArray(value);
  if (schema.type === 'integer' || schema.type === 'number') return typeof value === 'number';
  if (schema.type === 'intOrString') return typeof value !== 'object';
  return (schema.type === 'string' || schema.type === 'bytes') && typeof value === 'string';
}

/** The same field with the smallest value it can have: the zero of its type. */
export function zeroOf({ schema }: Field): unknown {
  switch (schema.type) {
    case 'object':
    case 'map':
    case 'any':
      return {};
    case 'list':
      return [];
    case 'integer':
    case 'number':
    case 'intOrString':
      return 0;
    case 'boolean':
      return false;
    case 'quantity':
      return '0';
    case 'duration':
      return '0s';
    default:
      return '';
  }
}
