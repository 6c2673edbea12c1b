// Containers: probes, handlers, ports, environment, resources, security, as shapes of a pod.
import type { Change } from './subject.ts';

export const container = (change: Change): Change => ({ spec: { containers: [change] } });
const env = (...list: readonly Change[]): Change => container({ env: list });
const PROBE: Change = {
  initialDelaySeconds: 5,
  timeoutSeconds: 2,
  periodSeconds: 3,
  successThreshold: 1,
  failureThreshold: 4,
};

export const containerShapes: Readonly<Record<string, Change>> = {
  command: container({ command: ['/bin/sh'], args: ['-c', 'true'], workingDir: '/w' }),
  'image-pull-policy': container({ imagePullPolicy: 'IfNotPresent' }),
  termination: container({ terminationMessagePath: '/t', terminationMessagePolicy: 'FallbackToLogsOnError' }),
  stdin: container({ stdin: true, stdinOnce: true, tty: true }),
  ports: container({
    ports: [{ name: 'http', containerPort: 80, protocol: 'TCP', hostPort: 8080, hostIP: '192.0.2.1' }],
  }),
  env: env({ name: 'A', value: 'b' }),
  'env-field': env({ name: 'A', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } }),
  'env-resource': env({
    name: 'A',
    valueFrom: { resourceFieldRef: { containerName: 'main', resource: 'limits.cpu', divisor: '1m' } },
  }),
  'env-config-map': env({ name: 'A', valueFrom: { configMapKeyRef: { name: 'cm', key: 'k', optional: true } } }),
  'env-secret': env({ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k', optional: true } } }),
  'env-file': {
    spec: {
      volumes: [{ name: 'v', emptyDir: {} }],
      containers: [
        { env: [{ name: 'A', valueFrom: { fileKeyRef: { volumeName: 'v', path: 'f', key: 'K', optional: true } } }] },
      ],
    },
  },
  'env-from-config-map': container({ envFrom: [{ prefix: 'P_', configMapRef: { name: 'cm', optional: true } }] }),
  'env-from-secret': container({ envFrom: [{ secretRef: { name: 's', optional: true } }] }),
  resources: container({
    resources: {
      limits: { cpu: '2', memory: '1Gi', 'ephemeral-storage': '1Gi' },
      requests: { cpu: '1', memory: '512Mi' },
    },
  }),
  'resources-extended': container({
    resources: { limits: { 'example.com/gpu': '1' }, requests: { 'example.com/gpu': '1' } },
  }),
  'resources-hugepages': container({ resources: { limits: { 'hugepages-2Mi': '4Mi', memory: '1Gi' } } }),
  'resource-claims': {
    spec: {
      resourceClaims: [{ name: 'c', resourceClaimName: 'rc' }],
      containers: [{ resources: { claims: [{ name: 'c', request: 'r' }] } }],
    },
  },
  'resize-policy': container({ resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }] }),
  'liveness-exec': container({
    livenessProbe: { ...PROBE, exec: { command: ['true'] }, terminationGracePeriodSeconds: 7 },
  }),
  'liveness-http': container({
    livenessProbe: {
      httpGet: { path: '/h', port: 80, host: 'h.example', scheme: 'HTTPS', httpHeaders: [{ name: 'X-A', value: 'b' }] },
    },
  }),
  'liveness-tcp': container({ livenessProbe: { tcpSocket: { port: 80, host: 'h.example' } } }),
  'liveness-grpc': container({ livenessProbe: { grpc: { port: 80, service: 's' } } }),
  'readiness-http-named': container({ readinessProbe: { ...PROBE, successThreshold: 2, httpGet: { port: 'http' } } }),
  'startup-tcp': container({ startupProbe: { ...PROBE, tcpSocket: { port: 80 }, terminationGracePeriodSeconds: 7 } }),
  'post-start-exec': container({ lifecycle: { postStart: { exec: { command: ['true'] } } } }),
  'pre-stop-http': container({ lifecycle: { preStop: { httpGet: { path: '/h', port: 80 } } } }),
  'pre-stop-sleep': container({ lifecycle: { preStop: { sleep: { seconds: 5 } } } }),
  'pre-stop-tcp': container({ lifecycle: { preStop: { tcpSocket: { port: 80 } } } }),
  'stop-signal': { spec: { os: { name: 'linux' }, containers: [{ lifecycle: { stopSignal: 'SIGTERM' } }] } },
  security: container({
    securityContext: {
      privileged: false,
      runAsUser: 1000,
      runAsGroup: 1000,
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      procMount: 'Default',
      capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
    },
  }),
  'security-selinux': container({
    securityContext: { seLinuxOptions: { user: 'u', role: 'r', type: 't', level: 's0' } },
  }),
  'security-seccomp': container({
    securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'p.json' } },
  }),
  'security-apparmor': container({
    securityContext: { appArmorProfile: { type: 'Localhost', localhostProfile: 'p' } },
  }),
  'security-windows': container({
    securityContext: {
      windowsOptions: {
        gmsaCredentialSpecName: 'g',
        gmsaCredentialSpec: '{}',
        runAsUserName: 'User',
        hostProcess: false,
      },
    },
  }),
  'restart-rules': container({
    restartPolicy: 'Never',
    restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }],
  }),
  'init-container': { spec: { initContainers: [{ name: 'init', image: 'busybox', command: ['true'] }] } },
  'init-sidecar': {
    spec: {
      initContainers: [
        {
          name: 'side',
          image: 'busybox',
          restartPolicy: 'Always',
          readinessProbe: { exec: { command: ['true'] } },
          lifecycle: { preStop: { exec: { command: ['true'] } } },
          ports: [{ containerPort: 81 }],
        },
      ],
    },
  },
};

const FIELD_PATHS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'metadata.labels',
  "metadata.labels['a']",
  "metadata.annotations['a.b/c']",
  "metadata.annotations['Bad Key!']",
  'metadata.generateName',
  'spec.nodeName',
  'spec.serviceAccountName',
  'spec.restartPolicy',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
  'status.phase',
  'nonsense',
];
const RESOURCES = [
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.ephemeral-storage',
  'requests.hugepages-2Mi',
  'limits.hugepages-',
  'limits.gpu',
  'cpu',
];
const DIVISORS: readonly (readonly [string, string])[] = [
  ['limits.cpu', '1'],
  ['limits.cpu', '2m'],
  ['limits.cpu', '0'],
  ['limits.memory', '1Mi'],
  ['limits.memory', '1m'],
  ['limits.memory', '3'],
  ['requests.ephemeral-storage', '1Gi'],
  ['requests.ephemeral-storage', '1m'],
  ['requests.hugepages-2Mi', '1Mi'],
  ['requests.hugepages-2Mi', '3'],
];
const SIGNALS = ['SIGKILL', 'SIGRTMIN+1', 'SIGUSR1', 'SIGNOPE', '9'];
const resources = (limits: Change | undefined, requests?: Change): Change =>
  container({
    resources: { ...(limits === undefined ? {} : { limits }), ...(requests === undefined ? {} : { requests }) },
  });
const probe = (name: string, value: Change): Change => container({ [name]: value });
const EXEC: Change = { exec: { command: ['true'] } };

export const containerCrossed: Readonly<Record<string, Change>> = {
  'containers-none': { spec: { containers: [] } },
  'containers-of-one-name': { spec: { containers: [{}, { name: 'main', image: 'i' }] } },
  'container-name-of-init-container': { spec: { initContainers: [{ name: 'main', image: 'i' }] } },
  'container-empty': { spec: { containers: [{ name: '', image: '' }] } },
  'container-name-dotted': container({ name: 'a.b' }),
  'container-name-uppercase': container({ name: 'Main' }),
  'container-name-of-64': container({ name: 'a'.repeat(64) }),
  'image-with-spaces': container({ image: ' nginx ' }),
  'image-untagged': container({ image: 'nginx' }),
  'image-latest': container({ image: 'registry.example:5000/nginx:latest' }),
  'image-digest': container({ image: `nginx@sha256:${'0'.repeat(64)}` }),
  'image-of-port-only': container({ image: 'registry.example:5000/nginx' }),
  'restart-policy-on-container': container({ restartPolicy: 'Always' }),
  'restart-policy-on-container-unknown': container({ restartPolicy: 'Sometimes' }),
  'restart-rules-without-policy': container({
    restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [1] } }],
  }),
  'restart-rules-without-codes': container({ restartPolicy: 'Never', restartPolicyRules: [{ action: 'Restart' }] }),
  'restart-rules-all-containers': container({
    restartPolicy: 'Never',
    restartPolicyRules: [{ action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [1] } }],
  }),
  'restart-rules-many': container({
    restartPolicy: 'Never',
    restartPolicyRules: Array.from({ length: 21 }, (_, i) => ({
      action: 'Restart',
      exitCodes: { operator: 'In', values: [i + 1] },
    })),
  }),
  'restart-rules-on-init': {
    spec: {
      initContainers: [
        {
          name: 'i',
          image: 'i',
          restartPolicy: 'OnFailure',
          restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'NotIn', values: [1] } }],
        },
      ],
    },
  },
  ...Object.fromEntries(
    FIELD_PATHS.map((fieldPath) => [`env-of-${fieldPath}`, env({ name: 'A', valueFrom: { fieldRef: { fieldPath } } })]),
  ),
  ...Object.fromEntries(
    RESOURCES.map((resource) => [
      `env-of-${resource}`,
      env({ name: 'A', valueFrom: { resourceFieldRef: { resource } } }),
    ]),
  ),
  ...Object.fromEntries(
    DIVISORS.map(([resource, divisor]) => [
      `env-of-${resource}-by-${divisor}`,
      env({ name: 'A', valueFrom: { resourceFieldRef: { resource, divisor } } }),
    ]),
  ),
  'env-value-and-source': env({ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }),
  'env-two-sources': env({
    name: 'A',
    valueFrom: { fieldRef: { fieldPath: 'metadata.name' }, configMapKeyRef: { name: 'c', key: 'k' } },
  }),
  'env-no-source': env({ name: 'A', valueFrom: {} }),
  'env-name-with-equals': env({ name: 'A=B', value: 'x' }),
  'env-name-dotted': env({ name: 'a.b-c', value: 'x' }),
  'env-name-digit-first': env({ name: '1A', value: 'x' }),
  'env-same-name-twice': env({ name: 'A', value: '1' }, { name: 'A', value: '2' }),
  'env-field-version-other': env({
    name: 'A',
    valueFrom: { fieldRef: { apiVersion: 'v2', fieldPath: 'metadata.name' } },
  }),
  'env-key-dotdot': env({ name: 'A', valueFrom: { configMapKeyRef: { name: 'c', key: '..' } } }),
  'env-file-volume-not-there': env({
    name: 'A',
    valueFrom: { fileKeyRef: { volumeName: 'nope', path: 'f', key: 'K' } },
  }),
  'env-file-volume-of-other-type': {
    spec: {
      volumes: [{ name: 'v', configMap: { name: 'c' } }],
      containers: [{ env: [{ name: 'A', valueFrom: { fileKeyRef: { volumeName: 'v', path: '../f', key: 'K' } } }] }],
    },
  },
  'env-from-both': container({ envFrom: [{ configMapRef: { name: 'c' }, secretRef: { name: 's' } }] }),
  'env-from-neither': container({ envFrom: [{ prefix: 'A' }] }),
  'env-from-prefix-bad': container({ envFrom: [{ prefix: 'A=', configMapRef: { name: 'c' } }] }),
  'ports-of-one-name': container({
    ports: [
      { name: 'a', containerPort: 1 },
      { name: 'a', containerPort: 2 },
    ],
  }),
  'ports-of-one-name-two-containers': {
    spec: {
      containers: [
        { ports: [{ name: 'a', containerPort: 1 }] },
        { name: 'b', image: 'i', ports: [{ name: 'a', containerPort: 1 }] },
      ],
    },
  },
  'ports-of-one-number': container({ ports: [{ containerPort: 80 }, { containerPort: 80 }] }),
  'ports-of-one-number-two-protocols': container({
    ports: [{ containerPort: 80 }, { containerPort: 80, protocol: 'UDP' }],
  }),
  'host-ports-in-conflict': container({
    ports: [
      { containerPort: 80, hostPort: 80 },
      { containerPort: 81, hostPort: 80 },
    ],
  }),
  'host-ports-in-conflict-two-containers': {
    spec: {
      containers: [
        { ports: [{ containerPort: 80, hostPort: 80 }] },
        { name: 'b', image: 'i', ports: [{ containerPort: 80, hostPort: 80 }] },
      ],
    },
  },
  'port-protocol-sctp': container({ ports: [{ containerPort: 80, protocol: 'SCTP' }] }),
  'port-protocol-lowercase': container({ ports: [{ containerPort: 80, protocol: 'tcp' }] }),
  'port-65536': container({ ports: [{ containerPort: 65536, hostPort: 65536 }] }),
  'port-name-numeric': container({ ports: [{ name: '80', containerPort: 80 }] }),
  'port-name-double-hyphen': container({ ports: [{ name: 'a--b', containerPort: 80 }] }),
  'port-name-of-16': container({ ports: [{ name: 'abcdefghijklmnop', containerPort: 80 }] }),
  'host-ip-bad': container({ ports: [{ containerPort: 80, hostIP: '300.1.1.1' }] }),
  'host-ip-leading-zeros': container({ ports: [{ containerPort: 80, hostIP: '010.1.1.1' }] }),
  'requests-over-limits': resources({ cpu: '1' }, { cpu: '2' }),
  'requests-only': resources(undefined, { cpu: '100m', memory: '1Gi' }),
  'limits-only': resources({ cpu: '100m', memory: '1Gi' }),
  'resources-fractional-bytes': resources({ memory: '100m' }),
  'resources-unknown-standard': resources({ gpus: '1' }),
  'resources-with-kubernetes-prefix': resources({ 'kubernetes.io/gpu': '1' }),
  'resources-with-requests-prefix': resources({ 'requests.example.com/gpu': '1' }),
  'extended-limit-not-request': resources({ 'example.com/gpu': '2' }, { 'example.com/gpu': '1' }),
  'extended-request-only': resources(undefined, { 'example.com/gpu': '1' }),
  'extended-fractional': resources({ 'example.com/gpu': '1500m' }),
  'hugepages-alone': resources({ 'hugepages-2Mi': '4Mi' }),
  'hugepages-request-differs': resources({ 'hugepages-2Mi': '4Mi', memory: '1Gi' }, { 'hugepages-2Mi': '2Mi' }),
  'hugepages-not-a-multiple': resources({ 'hugepages-2Mi': '3Mi', memory: '1Gi' }),
  'hugepages-size-bad': resources({ 'hugepages-x': '3Mi', memory: '1Gi' }),
  'resources-pods': resources({ pods: '1' }),
  'resources-storage': resources({ storage: '1Gi' }),
  'claims-not-declared': container({ resources: { claims: [{ name: 'nope' }] } }),
  'claims-twice': {
    spec: {
      resourceClaims: [{ name: 'c', resourceClaimName: 'rc' }],
      containers: [{ resources: { claims: [{ name: 'c' }, { name: 'c' }] } }],
    },
  },
  'claims-whole-and-part': {
    spec: {
      resourceClaims: [{ name: 'c', resourceClaimName: 'rc' }],
      containers: [{ resources: { claims: [{ name: 'c' }, { name: 'c', request: 'r' }] } }],
    },
  },
  'resize-policy-twice': container({
    resizePolicy: [
      { resourceName: 'cpu', restartPolicy: 'NotRequired' },
      { resourceName: 'cpu', restartPolicy: 'RestartContainer' },
    ],
  }),
  'resize-policy-of-storage': container({
    resizePolicy: [{ resourceName: 'ephemeral-storage', restartPolicy: 'NotRequired' }],
  }),
  'resize-policy-restart-on-never': {
    spec: {
      restartPolicy: 'Never',
      containers: [{ resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] }],
    },
  },
  ...Object.fromEntries(
    ['livenessProbe', 'readinessProbe', 'startupProbe'].flatMap((name) => [
      [`${name}-two-handlers`, probe(name, { exec: { command: ['a'] }, tcpSocket: { port: 1 } })],
      [`${name}-no-handler`, probe(name, { periodSeconds: 3 })],
      [`${name}-success-threshold-2`, probe(name, { ...EXEC, successThreshold: 2 })],
      [`${name}-grace-0`, probe(name, { ...EXEC, terminationGracePeriodSeconds: 0 })],
      [`${name}-grace-5`, probe(name, { ...EXEC, terminationGracePeriodSeconds: 5 })],
    ]),
  ),
  'probe-three-handlers': probe('livenessProbe', { ...EXEC, httpGet: { port: 1 }, grpc: { port: 1 } }),
  'probe-http-relative': probe('livenessProbe', { httpGet: { path: 'health', port: 80 } }),
  'probe-http-scheme-lowercase': probe('livenessProbe', { httpGet: { port: 80, scheme: 'http' } }),
  'probe-http-port-name-long': probe('livenessProbe', { httpGet: { port: 'a-name-that-is-too-long' } }),
  'probe-tcp-port-65536': probe('livenessProbe', { tcpSocket: { port: 65536 } }),
  'probe-all-numbers-negative': probe('livenessProbe', {
    ...EXEC,
    initialDelaySeconds: -1,
    timeoutSeconds: -1,
    periodSeconds: -1,
    successThreshold: -1,
    failureThreshold: -1,
    terminationGracePeriodSeconds: -1,
  }),
  'handler-two': container({ lifecycle: { preStop: { exec: { command: ['a'] }, sleep: { seconds: 1 } } } }),
  'handler-none': container({ lifecycle: { postStart: {} } }),
  'handler-sleep-over-grace': {
    spec: { terminationGracePeriodSeconds: 5, containers: [{ lifecycle: { preStop: { sleep: { seconds: 6 } } } }] },
  },
  'handler-sleep-zero': container({ lifecycle: { preStop: { sleep: { seconds: 0 } } } }),
  'handler-exec-empty': container({ lifecycle: { preStop: { exec: { command: [] } } } }),
  ...Object.fromEntries(
    SIGNALS.map((signal) => [
      `stop-signal-${signal}`,
      { spec: { os: { name: 'linux' }, containers: [{ lifecycle: { stopSignal: signal } }] } },
    ]),
  ),
  'stop-signal-without-os': container({ lifecycle: { stopSignal: 'SIGTERM' } }),
  'stop-signal-windows': { spec: { os: { name: 'windows' }, containers: [{ lifecycle: { stopSignal: 'SIGINT' } }] } },
  'privileged-without-escalation': container({
    securityContext: { privileged: true, allowPrivilegeEscalation: false },
  }),
  'sys-admin-without-escalation': container({
    securityContext: { capabilities: { add: ['CAP_SYS_ADMIN'] }, allowPrivilegeEscalation: false },
  }),
  privileged: container({ securityContext: { privileged: true } }),
  'proc-mount-unmasked': container({ securityContext: { procMount: 'Unmasked' } }),
  'proc-mount-unmasked-in-user-namespace': {
    spec: { hostUsers: false, containers: [{ securityContext: { procMount: 'Unmasked' } }] },
  },
  'seccomp-localhost-without-profile': container({ securityContext: { seccompProfile: { type: 'Localhost' } } }),
  'seccomp-profile-not-localhost': container({
    securityContext: { seccompProfile: { type: 'RuntimeDefault', localhostProfile: 'p' } },
  }),
  'seccomp-profile-up': container({
    securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: '../p' } },
  }),
  'apparmor-localhost-without-profile': container({ securityContext: { appArmorProfile: { type: 'Localhost' } } }),
  'apparmor-profile-not-localhost': container({
    securityContext: { appArmorProfile: { type: 'Unconfined', localhostProfile: 'p' } },
  }),
  'apparmor-profile-spaced': container({
    securityContext: { appArmorProfile: { type: 'Localhost', localhostProfile: ' p ' } },
  }),
  'windows-host-process': container({ securityContext: { windowsOptions: { hostProcess: true } } }),
  'windows-host-process-whole': {
    spec: {
      hostNetwork: true,
      os: { name: 'windows' },
      containers: [{ securityContext: { windowsOptions: { hostProcess: true } } }],
    },
  },
  'windows-user-with-domain': container({ securityContext: { windowsOptions: { runAsUserName: 'DOMAIN\\User' } } }),
  'windows-user-of-three-parts': container({ securityContext: { windowsOptions: { runAsUserName: 'A\\B\\C' } } }),
  'windows-options-on-linux': {
    spec: { os: { name: 'linux' }, containers: [{ securityContext: { windowsOptions: { runAsUserName: 'U' } } }] },
  },
  'linux-options-on-windows': {
    spec: {
      os: { name: 'windows' },
      containers: [
        {
          securityContext: {
            runAsUser: 1,
            runAsGroup: 1,
            privileged: true,
            allowPrivilegeEscalation: true,
            readOnlyRootFilesystem: true,
            procMount: 'Default',
            capabilities: { add: ['A'] },
            seLinuxOptions: { user: 'u' },
            seccompProfile: { type: 'Unconfined' },
            appArmorProfile: { type: 'Unconfined' },
          },
        },
      ],
    },
  },
  'init-with-probes': {
    spec: {
      initContainers: [
        {
          name: 'i',
          image: 'i',
          livenessProbe: EXEC,
          readinessProbe: EXEC,
          startupProbe: EXEC,
          lifecycle: { preStop: EXEC },
        },
      ],
    },
  },
  'init-sidecar-whole': {
    spec: {
      initContainers: [
        {
          name: 'i',
          image: 'i',
          restartPolicy: 'Always',
          livenessProbe: EXEC,
          startupProbe: EXEC,
          resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }],
        },
      ],
    },
  },
  'init-restart-policy-never': { spec: { initContainers: [{ name: 'i', image: 'i', restartPolicy: 'Never' }] } },
  'init-resize-policy': {
    spec: {
      initContainers: [
        { name: 'i', image: 'i', resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }] },
      ],
    },
  },
  'inits-of-one-name': {
    spec: {
      initContainers: [
        { name: 'i', image: 'i' },
        { name: 'i', image: 'i' },
      ],
    },
  },
  'ephemeral-container-on-create': { spec: { ephemeralContainers: [{ name: 'e', image: 'i' }] } },
};
