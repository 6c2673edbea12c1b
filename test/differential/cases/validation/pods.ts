// Pods: what is said of the pod as a whole, what an update may change, ephemeral containers, resize, binding and eviction.
import { containerCrossed, containerShapes, container } from './pod-containers.ts';
import { volumeCrossed, volumeShapes } from './pod-volumes.ts';
import { type Change, type Subject, type Update, gone } from './subject.ts';

const spec = (change: Change): Change => ({ spec: change });
const REQUIREMENT: Change = { key: 'k', operator: 'In', values: ['a'] };
const LABELS: Change = { matchLabels: { app: 'x' } };
const TERM: Change = {
  labelSelector: { matchLabels: { app: 'x' }, matchExpressions: [REQUIREMENT] },
  topologyKey: 'kubernetes.io/hostname',
  namespaces: ['other'],
  namespaceSelector: LABELS,
};
const required = (...terms: readonly Change[]): Change =>
  spec({
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } },
  });
const podTerm = (change: Change): Change =>
  spec({
    affinity: {
      podAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone', labelSelector: LABELS, ...change }],
      },
    },
  });
const spread = (change: Change): Change =>
  spec({
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: LABELS, ...change },
    ],
  });
const toleration = (change: Change): Change => spec({ tolerations: [change] });
const security = (securityContext: Change): Change => spec({ securityContext });
const sysctls = (...names: readonly string[]): Change =>
  security({ sysctls: names.map((name) => ({ name, value: '1' })) });

const specShapes: Readonly<Record<string, Change>> = {
  'restart-policy': spec({ restartPolicy: 'OnFailure' }),
  'active-deadline': spec({ activeDeadlineSeconds: 60 }),
  'termination-grace': spec({ terminationGracePeriodSeconds: 5 }),
  'dns-policy': spec({ dnsPolicy: 'Default' }),
  'dns-config': spec({
    dnsPolicy: 'None',
    dnsConfig: { nameservers: ['192.0.2.53'], searches: ['a.example'], options: [{ name: 'ndots', value: '2' }] },
  }),
  'node-selector': spec({ nodeSelector: { 'example.com/disk': 'ssd' } }),
  'node-name': spec({ nodeName: 'node-1' }),
  host: spec({ hostNetwork: false, hostPID: true, hostIPC: true, shareProcessNamespace: false, hostUsers: true }),
  'host-network': spec({ hostNetwork: true, containers: [{ ports: [{ containerPort: 80 }] }] }),
  hostname: spec({ hostname: 'h', subdomain: 's', setHostnameAsFQDN: true }),
  'hostname-override': spec({ hostnameOverride: 'h.example' }),
  'image-pull-secrets': spec({ imagePullSecrets: [{ name: 's' }] }),
  'scheduler-name': spec({ schedulerName: 'mine' }),
  'host-aliases': spec({ hostAliases: [{ ip: '192.0.2.1', hostnames: ['a.example'] }] }),
  'service-links': spec({ enableServiceLinks: false }),
  'readiness-gates': spec({ readinessGates: [{ conditionType: 'example.com/ready' }] }),
  'scheduling-gates': spec({ schedulingGates: [{ name: 'example.com/gate' }] }),
  os: spec({ os: { name: 'linux' } }),
  'pod-resources': spec({
    resources: { limits: { cpu: '2', memory: '1Gi' }, requests: { cpu: '1', memory: '512Mi' } },
  }),
  'resource-claims-of-template': spec({ resourceClaims: [{ name: 'c', resourceClaimTemplateName: 't' }] }),
  toleration: toleration({ key: 'k', operator: 'Equal', value: 'v', effect: 'NoExecute', tolerationSeconds: 60 }),
  'topology-spread': spread({
    labelSelector: { matchLabels: { app: 'x' }, matchExpressions: [REQUIREMENT] },
    minDomains: 2,
    nodeAffinityPolicy: 'Honor',
    nodeTaintsPolicy: 'Ignore',
    matchLabelKeys: ['pod-template-hash'],
  }),
  'node-affinity-required': required({
    matchExpressions: [REQUIREMENT],
    matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node-1'] }],
  }),
  'node-affinity-preferred': spec({
    affinity: {
      nodeAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 1, preference: { matchExpressions: [REQUIREMENT] } },
        ],
      },
    },
  }),
  'pod-affinity-required': spec({
    affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [TERM] } },
  }),
  'pod-affinity-preferred': spec({
    affinity: {
      podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 5, podAffinityTerm: TERM }] },
    },
  }),
  'pod-anti-affinity-keys': spec({
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: 'zone', labelSelector: LABELS, matchLabelKeys: ['a'], mismatchLabelKeys: ['b'] },
        ],
      },
    },
  }),
  'security-context': security({
    runAsUser: 1000,
    runAsGroup: 1000,
    runAsNonRoot: true,
    fsGroup: 1000,
    fsGroupChangePolicy: 'OnRootMismatch',
    supplementalGroups: [1000],
    supplementalGroupsPolicy: 'Merge',
    sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }],
  }),
  'security-context-selinux': security({
    seLinuxOptions: { user: 'u', role: 'r', type: 't', level: 's0' },
    seLinuxChangePolicy: 'Recursive',
  }),
  'security-context-seccomp': security({ seccompProfile: { type: 'Localhost', localhostProfile: 'p' } }),
  'security-context-apparmor': security({ appArmorProfile: { type: 'RuntimeDefault' } }),
  'security-context-windows': spec({
    securityContext: { windowsOptions: { gmsaCredentialSpecName: 'g', runAsUserName: 'User' } },
  }),
  'priority-class': spec({ priorityClassName: 'system-node-critical', preemptionPolicy: 'PreemptLowerPriority' }),
};

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt', 'Near'];
const VALUES: readonly (readonly [string, readonly string[]])[] = [
  ['no-values', []],
  ['one-value', ['1']],
  ['two-values', ['1', '2']],
  ['bad-value', ['Bad Value!']],
];

const specCrossed: Readonly<Record<string, Change>> = {
  'spec-gone': { spec: gone },
  'dns-policy-none-without-servers': spec({ dnsPolicy: 'None' }),
  'dns-many': spec({
    dnsConfig: {
      nameservers: ['1.1.1.1', '2.2.2.2', '3.3.3.3', '4.4.4.4'],
      searches: Array.from({ length: 33 }, (_, i) => `s${i}.example`),
    },
  }),
  'dns-search-trailing-dot': spec({ dnsConfig: { searches: ['a.example.', '.', '_tcp.example', 'Bad_'] } }),
  'dns-search-total-long': spec({
    dnsConfig: {
      searches: Array.from(
        { length: 10 },
        () => `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(50)}`,
      ),
    },
  }),
  'dns-option-nameless': spec({ dnsConfig: { options: [{ value: '2' }] } }),
  'dns-host-net-policy': spec({ dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true }),
  'host-network-host-port-differs': spec({
    hostNetwork: true,
    containers: [{ ports: [{ containerPort: 80, hostPort: 81 }] }],
  }),
  'host-network-and-user-namespace': spec({ hostNetwork: true, hostUsers: false }),
  'host-pid-and-user-namespace': spec({ hostPID: true, hostUsers: false }),
  'host-ipc-and-user-namespace': spec({ hostIPC: true, hostUsers: false }),
  'user-namespace': spec({ hostUsers: false }),
  'host-pid-and-shared': spec({ hostPID: true, shareProcessNamespace: true }),
  'hostname-dotted': spec({ hostname: 'a.b', subdomain: 'c.d' }),
  'hostname-override-with-host-network': spec({ hostNetwork: true, hostnameOverride: 'h' }),
  'hostname-override-with-fqdn': spec({ setHostnameAsFQDN: true, hostnameOverride: 'h' }),
  'host-aliases-with-host-network': spec({ hostNetwork: true, hostAliases: [{ ip: '192.0.2.1', hostnames: ['a'] }] }),
  'host-alias-without-names': spec({ hostAliases: [{ ip: '192.0.2.1' }] }),
  'host-alias-ip-zeros': spec({ hostAliases: [{ ip: '010.1.1.1', hostnames: ['a'] }] }),
  'active-deadline-huge': spec({ activeDeadlineSeconds: 4294967296 }),
  'restart-policies': spec({ restartPolicy: 'always' }),
  'termination-grace-none': spec({ terminationGracePeriodSeconds: null }),
  'service-account-both': spec({ serviceAccount: 'default', serviceAccountName: 'default' }),
  'service-account-deprecated-only': spec({ serviceAccount: 'default' }),
  'service-account-not-there': spec({ serviceAccountName: 'nobody' }),
  'priority-of-ones-own': spec({ priority: 5 }),
  'priority-class-not-there': spec({ priorityClassName: 'nope' }),
  'priority-class-and-other-number': spec({ priorityClassName: 'system-node-critical', priority: 5 }),
  'priority-class-and-other-policy': spec({ priorityClassName: 'system-node-critical', preemptionPolicy: 'Never' }),
  'runtime-class-not-there': spec({ runtimeClassName: 'nope' }),
  'runtime-class-malformed': spec({ runtimeClassName: 'Bad Value!' }),
  'overhead-of-ones-own': spec({ overhead: { cpu: '1' } }),
  'scheduling-gates-and-node': spec({ nodeName: 'n', schedulingGates: [{ name: 'a' }] }),
  'os-windows-with-linux-fields': spec({
    os: { name: 'windows' },
    hostPID: true,
    hostIPC: true,
    hostUsers: false,
    shareProcessNamespace: true,
    securityContext: {
      runAsUser: 1,
      runAsGroup: 1,
      fsGroup: 1,
      fsGroupChangePolicy: 'Always',
      supplementalGroups: [1],
      sysctls: [{ name: 'a', value: 'b' }],
      seLinuxOptions: { user: 'u' },
      seccompProfile: { type: 'Unconfined' },
      appArmorProfile: { type: 'Unconfined' },
    },
  }),
  'os-linux-with-windows-fields': spec({
    os: { name: 'linux' },
    securityContext: { windowsOptions: { runAsUserName: 'U' } },
  }),
  'os-plan9': spec({ os: { name: 'plan9' } }),
  'pod-resources-below-containers': spec({
    resources: { limits: { cpu: '1' }, requests: { cpu: '500m' } },
    containers: [{ resources: { limits: { cpu: '2' }, requests: { cpu: '1' } } }],
  }),
  'pod-resources-extended': spec({ resources: { limits: { 'example.com/gpu': '1' } } }),
  'pod-resources-claims': spec({ resources: { claims: [{ name: 'a' }] } }),
  'pod-resources-requests-over-limits': spec({ resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } }),
  'pod-resources-hugepages': spec({ resources: { limits: { 'hugepages-2Mi': '4Mi', cpu: '1' } } }),
  'pod-resources-windows': spec({ os: { name: 'windows' }, resources: { limits: { cpu: '1' } } }),
  'resource-claim-both': spec({
    resourceClaims: [{ name: 'c', resourceClaimName: 'a', resourceClaimTemplateName: 'b' }],
  }),
  'resource-claim-neither': spec({ resourceClaims: [{ name: 'c' }] }),
  'resource-claims-same-claim': spec({
    resourceClaims: [
      { name: 'c', resourceClaimName: 'a' },
      { name: 'd', resourceClaimName: 'a' },
    ],
  }),
  'scheduling-group': spec({ schedulingGroup: { podGroupName: 'g' } }),
  ...Object.fromEntries(
    [
      ['key-without-operator', { key: 'k', value: 'v' }],
      ['exists-with-value', { key: 'k', operator: 'Exists', value: 'v' }],
      ['equal-without-key', { operator: 'Equal', value: 'v' }],
      ['exists-without-key', { operator: 'Exists' }],
      ['nothing', {}],
      ['lt', { key: 'k', operator: 'Lt', value: '5' }],
      ['gt-text', { key: 'k', operator: 'Gt', value: 'five' }],
      ['seconds-without-no-execute', { key: 'k', operator: 'Exists', effect: 'NoSchedule', tolerationSeconds: 5 }],
      ['seconds-without-effect', { key: 'k', operator: 'Exists', tolerationSeconds: 5 }],
      ['effect-lowercase', { key: 'k', operator: 'Exists', effect: 'noSchedule' }],
      ['value-bad-key-bad', { key: 'Bad Key!', operator: 'Equal', value: 'Bad Value!', effect: 'Nope' }],
      ['not-ready-of-ones-own', { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' }],
    ].map(([name, t]) => [`toleration-${name as string}`, toleration(t as Change)]),
  ),
  'spread-twice': spec({
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' },
      { maxSkew: 2, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' },
    ],
  }),
  'spread-min-domains-anyway': spread({ whenUnsatisfiable: 'ScheduleAnyway', minDomains: 2 }),
  'spread-keys-without-selector': spread({ labelSelector: gone, matchLabelKeys: ['a'] }),
  'spread-key-in-selector': spread({ matchLabelKeys: ['app'] }),
  'spread-policies-unknown': spread({ nodeAffinityPolicy: 'Maybe', nodeTaintsPolicy: 'Maybe' }),
  'spread-minimal': spec({
    topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }],
  }),
  'node-affinity-no-terms': required(),
  'node-affinity-empty-term': required({}),
  'node-affinity-field-other': required({ matchFields: [{ key: 'spec.x', operator: 'In', values: ['a'] }] }),
  'node-affinity-field-two-values': required({
    matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a', 'b'] }],
  }),
  'node-affinity-field-operator': required({ matchFields: [{ key: 'metadata.name', operator: 'Exists' }] }),
  ...Object.fromEntries(
    OPERATORS.flatMap((operator) =>
      VALUES.map(([name, values]) => [
        `node-affinity-${operator}-${name}`,
        required({ matchExpressions: [{ key: 'k', operator, values }] }),
      ]),
    ),
  ),
  ...Object.fromEntries(
    ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt'].flatMap((operator) =>
      VALUES.map(([name, values]) => [
        `pod-affinity-${operator}-${name}`,
        podTerm({ labelSelector: { matchExpressions: [{ key: 'k', operator, values }] } }),
      ]),
    ),
  ),
  'node-affinity-gt-text': required({ matchExpressions: [{ key: 'k', operator: 'Gt', values: ['five'] }] }),
  'node-affinity-weight-101': spec({
    affinity: {
      nodeAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 101, preference: { matchExpressions: [REQUIREMENT] } },
        ],
      },
    },
  }),
  'node-affinity-preference-empty': spec({
    affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: {} }] } },
  }),
  'pod-affinity-weight-101': spec({
    affinity: {
      podAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 101, podAffinityTerm: { topologyKey: 'z' } }],
      },
    },
  }),
  'pod-affinity-without-topology': podTerm({ topologyKey: gone }),
  'pod-affinity-namespace-bad': podTerm({ namespaces: ['Bad_NS'] }),
  'pod-affinity-without-selector': podTerm({ labelSelector: gone }),
  'pod-affinity-key-both': podTerm({ matchLabelKeys: ['a'], mismatchLabelKeys: ['a'] }),
  'pod-affinity-key-in-selector': podTerm({ matchLabelKeys: ['app'] }),
  'pod-affinity-keys-without-selector': podTerm({ labelSelector: gone, matchLabelKeys: ['a'] }),
  'pod-affinity-keys-of-the-pod': { metadata: { labels: { rev: '1' } }, ...podTerm({ matchLabelKeys: ['rev'] }) },
  'pod-spread-keys-of-the-pod': { metadata: { labels: { rev: '1' } }, ...spread({ matchLabelKeys: ['rev'] }) },
  'sysctls-twice': sysctls('kernel.shm_rmid_forced', 'kernel.shm_rmid_forced'),
  'sysctls-slashes': sysctls('net/ipv4/ip_local_port_range', 'net.ipv4/conf.all'),
  'sysctl-malformed': sysctls('Kernel Bad'),
  'sysctl-host-network': {
    spec: { hostNetwork: true, securityContext: { sysctls: [{ name: 'net.ipv4.tcp_syncookies', value: '1' }] } },
  },
  'sysctl-host-ipc': { spec: { hostIPC: true, securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } } },
  'run-as-root-non-root': security({ runAsNonRoot: true, runAsUser: 0 }),
  'ids-over-the-limit': security({
    runAsUser: 2147483648,
    runAsGroup: -2,
    fsGroup: 2147483648,
    supplementalGroups: [-1, 2147483648],
  }),
  'seccomp-localhost-without-profile-of-pod': security({ seccompProfile: { type: 'Localhost' } }),
  'fs-group-policy-unknown': security({ fsGroup: 1, fsGroupChangePolicy: 'Never' }),
  'supplemental-policy-strict': security({ supplementalGroupsPolicy: 'Strict' }),
  'selinux-policy-unknown': security({ seLinuxChangePolicy: 'Maybe' }),
  'apparmor-annotation': {
    metadata: { annotations: { 'container.apparmor.security.beta.kubernetes.io/main': 'runtime/default' } },
  },
  'apparmor-annotation-bad': {
    metadata: { annotations: { 'container.apparmor.security.beta.kubernetes.io/main': 'nope' } },
  },
  'apparmor-annotation-other-container': {
    metadata: { annotations: { 'container.apparmor.security.beta.kubernetes.io/other': 'unconfined' } },
  },
  'seccomp-annotation': {
    metadata: { annotations: { 'seccomp.security.alpha.kubernetes.io/pod': 'runtime/default' } },
  },
  'mirror-annotation': { metadata: { annotations: { 'kubernetes.io/config.mirror': 'x' } } },
  'deletion-cost-annotation': { metadata: { annotations: { 'controller.kubernetes.io/pod-deletion-cost': 'high' } } },
  'deletion-cost-annotation-plus': {
    metadata: { annotations: { 'controller.kubernetes.io/pod-deletion-cost': '+5' } },
  },
  'tolerations-annotation': { metadata: { annotations: { 'scheduler.alpha.kubernetes.io/tolerations': 'x' } } },
  'status-given': { status: { phase: 'Running', podIP: '10.1.1.1' } },
};

const noUpdate: Change = { spec: { automountServiceAccountToken: false, terminationGracePeriodSeconds: 30 } };
const update = (to: Change, from: Change = {}): Update => ({ from, to });
const sub = (subresource: string, to: Change, from: Change = {}): Update => ({ subresource, from, to });
const CPU: Change = container({
  resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1', memory: '1Gi' } },
});

const updates: Readonly<Record<string, Update>> = {
  nothing: update(noUpdate),
  image: update(container({ image: 'nginx:2' })),
  'image-empty': update(container({ image: '' })),
  'image-spaced': update(container({ image: ' nginx:2' })),
  'init-image': update(
    spec({ initContainers: [{ image: 'i2' }] }),
    spec({ initContainers: [{ name: 'i', image: 'i' }] }),
  ),
  labels: update({ metadata: { labels: { a: 'b' } } }),
  'labels-bad': update({ metadata: { labels: { a: 'Bad Value!' } } }),
  annotations: update({ metadata: { annotations: { a: 'b' } } }),
  'active-deadline-set': update(spec({ activeDeadlineSeconds: 60 })),
  'active-deadline-shorter': update(spec({ activeDeadlineSeconds: 30 }), spec({ activeDeadlineSeconds: 60 })),
  'active-deadline-longer': update(spec({ activeDeadlineSeconds: 90 }), spec({ activeDeadlineSeconds: 60 })),
  'active-deadline-gone': update(spec({ activeDeadlineSeconds: gone }), spec({ activeDeadlineSeconds: 60 })),
  'active-deadline-negative': update(spec({ activeDeadlineSeconds: -1 })),
  'toleration-added': update(spec({ tolerations: [{ key: 'a', operator: 'Exists' }] })),
  'toleration-removed': update(spec({ tolerations: [] }), spec({ tolerations: [{ key: 'a', operator: 'Exists' }] })),
  'toleration-changed': update(
    spec({ tolerations: [{ key: 'b' }] }),
    spec({ tolerations: [{ key: 'a', operator: 'Exists' }] }),
  ),
  'container-added': update(spec({ containers: [{}, { name: 'b', image: 'i' }] })),
  'container-renamed': update(container({ name: 'other' })),
  'gate-removed': update(spec({ schedulingGates: [] }), spec({ schedulingGates: [{ name: 'a' }] })),
  'gate-added': update(
    spec({ schedulingGates: [{ name: 'a' }, { name: 'b' }] }),
    spec({ schedulingGates: [{ name: 'a' }] }),
  ),
  'gate-changed': update(spec({ schedulingGates: [{ name: 'b' }] }), spec({ schedulingGates: [{ name: 'a' }] })),
  'gated-node-selector-added': update(spec({ nodeSelector: { a: 'b' } }), spec({ schedulingGates: [{ name: 'a' }] })),
  'gated-node-selector-changed': update(
    spec({ nodeSelector: { a: 'c' } }),
    spec({ nodeSelector: { a: 'b' }, schedulingGates: [{ name: 'a' }] }),
  ),
  'gated-node-affinity-added': update(
    required({ matchExpressions: [REQUIREMENT] }),
    spec({ schedulingGates: [{ name: 'a' }] }),
  ),
  'termination-grace': update(spec({ terminationGracePeriodSeconds: 7 })),
  command: update(container({ command: ['a'] })),
  env: update(container({ env: [{ name: 'a', value: 'b' }] })),
  'node-name': update(spec({ nodeName: 'n' })),
  resources: update(container({ resources: { requests: { cpu: '2' } } }), CPU),
  hostname: update(spec({ hostname: 'h' })),
  'ephemeral-container-by-update': update(spec({ ephemeralContainers: [{ name: 'e', image: 'i' }] })),
  uid: update({ metadata: { uid: '00000000-0000-0000-0000-000000000000' } }),
  'stale-version': update({ metadata: { resourceVersion: '1' } }),
  'other-name': update({ metadata: { name: 'other' } }),
  'ephemeral-added': sub('ephemeralcontainers', spec({ ephemeralContainers: [{ name: 'e', image: 'i' }] })),
  'ephemeral-targeted': sub(
    'ephemeralcontainers',
    spec({ ephemeralContainers: [{ name: 'e', image: 'i', targetContainerName: 'main', stdin: true, tty: true }] }),
  ),
  'ephemeral-target-not-there': sub(
    'ephemeralcontainers',
    spec({ ephemeralContainers: [{ name: 'e', image: 'i', targetContainerName: 'nope' }] }),
  ),
  'ephemeral-name-taken': sub('ephemeralcontainers', spec({ ephemeralContainers: [{ name: 'main', image: 'i' }] })),
  'ephemeral-nameless': sub('ephemeralcontainers', spec({ ephemeralContainers: [{ image: 'i' }] })),
  'ephemeral-imageless': sub('ephemeralcontainers', spec({ ephemeralContainers: [{ name: 'e' }] })),
  'ephemeral-twice': sub(
    'ephemeralcontainers',
    spec({
      ephemeralContainers: [
        { name: 'e', image: 'i' },
        { name: 'e', image: 'i' },
      ],
    }),
  ),
  'ephemeral-with-ports': sub(
    'ephemeralcontainers',
    spec({ ephemeralContainers: [{ name: 'e', image: 'i', ports: [{ containerPort: 80 }] }] }),
  ),
  'ephemeral-with-probes': sub(
    'ephemeralcontainers',
    spec({
      ephemeralContainers: [
        {
          name: 'e',
          image: 'i',
          livenessProbe: { tcpSocket: { port: 1 } },
          readinessProbe: { tcpSocket: { port: 1 } },
          startupProbe: { tcpSocket: { port: 1 } },
        },
      ],
    }),
  ),
  'ephemeral-with-lifecycle': sub(
    'ephemeralcontainers',
    spec({ ephemeralContainers: [{ name: 'e', image: 'i', lifecycle: { preStop: { exec: { command: ['a'] } } } }] }),
  ),
  'ephemeral-with-resources': sub(
    'ephemeralcontainers',
    spec({ ephemeralContainers: [{ name: 'e', image: 'i', resources: { limits: { cpu: '1' } } }] }),
  ),
  'ephemeral-with-restart-policy': sub(
    'ephemeralcontainers',
    spec({ ephemeralContainers: [{ name: 'e', image: 'i', restartPolicy: 'Always' }] }),
  ),
  'ephemeral-with-resize-policy': sub(
    'ephemeralcontainers',
    spec({
      ephemeralContainers: [
        { name: 'e', image: 'i', resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }] },
      ],
    }),
  ),
  'ephemeral-with-subpath': sub(
    'ephemeralcontainers',
    spec({
      ephemeralContainers: [{ name: 'e', image: 'i', volumeMounts: [{ name: 'v', mountPath: '/m', subPath: 'a' }] }],
    }),
    spec({ volumes: [{ name: 'v', emptyDir: {} }] }),
  ),
  'ephemeral-and-image': sub(
    'ephemeralcontainers',
    spec({ containers: [{ image: 'changed' }], ephemeralContainers: [{ name: 'e', image: 'i' }] }),
  ),
  'resize-cpu': sub('resize', container({ resources: { limits: { cpu: '2' }, requests: { cpu: '2' } } }), CPU),
  'resize-requests-only': sub('resize', container({ resources: { requests: { cpu: '500m' } } }), CPU),
  'resize-memory-down': sub(
    'resize',
    container({ resources: { limits: { memory: '512Mi' }, requests: { memory: '512Mi' } } }),
    CPU,
  ),
  'resize-over-limit': sub('resize', container({ resources: { requests: { cpu: '3' } } }), CPU),
  'resize-negative': sub('resize', container({ resources: { limits: { cpu: '-1' }, requests: { cpu: '-1' } } }), CPU),
  'resize-limits-gone': sub(
    'resize',
    container({ resources: { limits: gone } }),
    container({ resources: { limits: { cpu: '2' }, requests: { cpu: '1' } } }),
  ),
  'resize-extended': sub(
    'resize',
    container({ resources: { limits: { 'example.com/gpu': '1' }, requests: { 'example.com/gpu': '1' } } }),
    CPU,
  ),
  'resize-storage': sub('resize', container({ resources: { limits: { 'ephemeral-storage': '1Gi' } } }), CPU),
  'resize-image': sub('resize', container({ image: 'changed' }), CPU),
  'resize-qos-changes': sub('resize', container({ resources: { requests: { cpu: '1' } } })),
  'resize-policy-changed': sub(
    'resize',
    container({ resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] }),
    CPU,
  ),
  'resize-init': sub(
    'resize',
    spec({ initContainers: [{ resources: { requests: { cpu: '2' } } }] }),
    spec({ initContainers: [{ name: 'i', image: 'i', resources: { requests: { cpu: '1' } } }] }),
  ),
  'status-phase': sub('status', { status: { phase: 'Running' } }),
  'status-phase-unknown': sub('status', { status: { phase: 'Dancing' } }),
  'status-pod-ips': sub('status', { status: { podIP: '10.1.1.1', podIPs: [{ ip: '10.1.1.1' }] } }),
  'status-pod-ip-bad': sub('status', { status: { podIP: '10.1.1.300' } }),
  'status-pod-ips-three': sub('status', {
    status: { podIPs: [{ ip: '10.1.1.1' }, { ip: '10.1.1.2' }, { ip: 'fd00::1' }] },
  }),
  'status-host-ips-mismatch': sub('status', { status: { hostIP: '10.1.1.1', hostIPs: [{ ip: '10.1.1.2' }] } }),
  'status-conditions': sub('status', { status: { conditions: [{ type: 'Ready', status: 'True' }] } }),
  'status-conditions-bad': sub('status', { status: { conditions: [{ type: 'Bad Type!', status: 'Maybe' }] } }),
  'status-nominated': sub('status', { status: { nominatedNodeName: 'Bad Value!' } }),
  'status-and-spec': sub('status', { spec: { containers: [{ image: 'changed' }] }, status: { phase: 'Running' } }),
  'status-container-statuses': sub('status', {
    status: {
      containerStatuses: [
        { name: 'main', ready: true, restartCount: 0, image: 'i', imageID: 'i', state: { running: {} } },
      ],
    },
  }),
  'status-container-unknown': sub('status', {
    status: { containerStatuses: [{ name: 'other', ready: true, restartCount: 0, image: 'i', imageID: 'i' }] },
  }),
  'status-resource-claims': sub('status', {
    status: { resourceClaimStatuses: [{ name: 'nope', resourceClaimName: 'x' }] },
  }),
  'status-qos': sub('status', { status: { qosClass: 'Guaranteed' } }),
};

export const pods: Subject = {
  apiVersion: 'v1',
  kind: 'Pod',
  minimal: { spec: { automountServiceAccountToken: false, containers: [{ name: 'main', image: 'nginx:1' }] } },
  shapes: { ...specShapes, ...containerShapes, ...volumeShapes },
  crossed: { ...specCrossed, ...containerCrossed, ...volumeCrossed },
  updates,
};
