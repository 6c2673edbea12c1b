// What the load generator sends: the same bytes to both sides. `%` and `#` are numbers (load/job.ts).

export const CONFIG_MAP: string = JSON.stringify({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'NAME-%', labels: { app: 'bench' } },
  data: { text: 'b'.repeat(200), number: '#' },
});

export const POD: string = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'NAME-%',
    labels: { app: 'web', tier: 'front', release: 'r1' },
    annotations: { note: 'benchmark' },
  },
  spec: {
    containers: [
      {
        name: 'web',
        image: 'registry.invalid/web:1.2.3',
        ports: [{ containerPort: 8080, name: 'http' }],
        env: [
          { name: 'A', value: 'b' },
          { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        ],
        resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } },
        readinessProbe: { httpGet: { path: '/ready', port: 'http' } },
        volumeMounts: [{ name: 'config', mountPath: '/etc/config' }],
      },
    ],
    volumes: [{ name: 'config', configMap: { name: 'config' } }],
    tolerations: [
      { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
    ],
  },
});

/** A pod that asks for a little of a node and nothing else. */
export const SMALL_POD: string = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'NAME-%', labels: { app: 'small' } },
  spec: {
    automountServiceAccountToken: false,
    containers: [
      { name: 'main', image: 'registry.invalid/a:1', resources: { requests: { cpu: '100m', memory: '500Mi' } } },
    ],
  },
});

export const DEPLOYMENT: string = JSON.stringify({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'NAME-%', annotations: { number: '#' } },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: {
        containers: [
          {
            name: 'web',
            image: 'registry.invalid/web:1.2.3',
            ports: [{ containerPort: 8080, name: 'http' }],
            env: [{ name: 'NUMBER', value: '#' }],
            resources: { requests: { cpu: '100m', memory: '64Mi' } },
          },
        ],
      },
    },
  },
});

export const NODE: string = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'NAME-%', labels: { 'kubernetes.io/hostname': 'NAME-%', 'kubernetes.io/os': 'linux' } },
  status: {
    capacity: { cpu: '4', memory: '32Gi', pods: '110' },
    allocatable: { cpu: '4', memory: '32Gi', pods: '110' },
    conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }],
  },
});

export const named = (template: string, name: string): string => template.replaceAll('NAME', name);
