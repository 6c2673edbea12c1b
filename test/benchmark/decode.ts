// Micro-benchmark: microseconds to decode one pod of about 3.3 KB (scan, parse, rebuild), and to make the schema data ready.
// Run: node test/benchmark/decode.ts
import { decodeObject } from '#schema/decode.ts';
import { schemaByName } from '#schema/load.ts';
import { rebuild } from '#schema/rebuild.ts';
import { scan } from '#schema/scan.ts';

const loadStart = process.hrtime.bigint();
const POD = schemaByName('io.k8s.api.core.v1.Pod');
const loadMs = Number(process.hrtime.bigint() - loadStart) / 1e6;

const container = (name: string): object => ({
  name,
  image: `registry.example/team/${name}:1.2.3`,
  ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
  env: Array.from({ length: 6 }, (_, i) => ({ name: `SETTING_${i}`, value: `value-${i}` })),
  resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '1', memory: '256Mi' } },
  volumeMounts: [
    { name: 'config', mountPath: '/etc/app', readOnly: true },
    { name: 'token', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true },
  ],
  livenessProbe: {
    httpGet: { path: '/healthz', port: 'http', scheme: 'HTTP' },
    periodSeconds: 10,
    timeoutSeconds: 1,
    successThreshold: 1,
    failureThreshold: 3,
  },
  readinessProbe: {
    httpGet: { path: '/ready', port: 8080, scheme: 'HTTP' },
    periodSeconds: 5,
    timeoutSeconds: 1,
    successThreshold: 1,
    failureThreshold: 3,
  },
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
  imagePullPolicy: 'IfNotPresent',
  securityContext: { allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: { drop: ['ALL'] } },
});

const pod = {
  kind: 'Pod',
  apiVersion: 'v1',
  metadata: {
    name: 'web-6d4cf56db6-x7x2p',
    namespace: 'app',
    labels: { app: 'web', tier: 'front', 'pod-template-hash': '6d4cf56db6' },
    annotations: { note: 'a pod of ordinary size' },
  },
  spec: {
    volumes: [
      { name: 'config', configMap: { name: 'web', defaultMode: 420 } },
      {
        name: 'token',
        projected: { defaultMode: 420, sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: 3607 } }] },
      },
    ],
    containers: [container('web'), container('pooler')],
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    serviceAccountName: 'default',
    securityContext: { fsGroup: 1000 },
    schedulerName: 'default-scheduler',
    tolerations: [
      { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
    ],
  },
  status: {},
};
const bytes = Buffer.from(JSON.stringify(pod));
const text = bytes.toString();

function measure(name: string, run: () => unknown): void {
  for (let i = 0; i < 20_000; i++) run();
  const rounds = 50_000;
  const cpu = process.cpuUsage();
  const start = process.hrtime.bigint();
  for (let i = 0; i < rounds; i++) run();
  const us = Number(process.hrtime.bigint() - start) / 1e3 / rounds;
  const used = process.cpuUsage(cpu);
  console.log(`${name.padEnd(28)} ${us.toFixed(1)} µs   (${((used.user + used.system) / rounds).toFixed(1)} µs CPU)`);
}

console.log(`pod: ${bytes.length} bytes; schema data ready after ${loadMs.toFixed(1)} ms`);
measure('scan', () => scan(bytes));
measure('JSON.parse', () => JSON.parse(text));
measure('rebuild', () => rebuild(pod, POD));
measure('decode (all of it)', () => decodeObject(bytes, POD));
measure('JSON.stringify', () => JSON.stringify(pod));
