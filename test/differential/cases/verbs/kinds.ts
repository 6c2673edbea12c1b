// Every resource that the original serves by default, with the smallest object of each that it takes, and a change that it lets pass.
import { createHash } from 'node:crypto';
import { servedResources, type ServedResource } from '#generated/served.ts';

export type Json = Record<string, unknown>;

export interface KindCase {
  readonly served: ServedResource;
  readonly apiVersion: string;
  /** `core.v1.Pod`: how ids name it. */
  readonly label: string;
  /** Where objects are created and listed. */
  readonly collection: string;
  /** Kept in the store. */
  readonly isStored: boolean;
  /** The original itself changes these after they are written, so what is read later depends on when. */
  readonly isTouched: boolean;
  /** What an object has besides its metadata. */
  readonly content: Json;
  /** A merge patch of the content that is valid. */
  readonly change: Json;
  /** The name of an object in the case of this id. */
  nameIn(caseId: string): string;
}

/** Of CN=jane, O=people. */
export const CERTIFICATE_REQUEST =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIYk1JR0NBZ0VBTUNBeER6QU5CZ05WQkFvTUJuQmxiM0JzWlRFTk1Bc0dBMVVFQXd3RWFtRnVaVEJaTUJNRwpCeXFHU000OUFnRUdDQ3FHU000OUF3RUhBMElBQkF4cExHdkpNZkVydlhFK3FzcEhzKzBCMVZiZkhGWDdTQnowCmd1cUhxTzRYVWdWYUlZNDlrdC80TzdhRHNZNFZBbGczZ3NnOS9aaStQMGlGUjZ5SGVlaWdBREFLQmdncWhrak8KUFFRREFnTklBREJGQWlFQXFoYU9MczAwWDNXMWRRYkdDaGZTRFhYZ1R1Q1QrN1M1ZGhrQ2IyQ0gzUE1DSUYwKwpxL281YXJ0bXZEZFBnaHllSjRGdzhOUWtaODRHVWQvbkIxdkhRL2pLCi0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=';
const labels = { app: 'x' };
const podSpec: Json = { containers: [{ name: 'c', image: 'i' }] };
const template = { metadata: { labels }, spec: podSpec };
const jobTemplate = { metadata: { labels }, spec: { ...podSpec, restartPolicy: 'Never' } };
/** Nothing of this group exists, so that what these kinds do meets no other case. */
const resourceRules = [
  { apiGroups: ['example.com'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['things'] },
];
const webhook = {
  name: 'a.example.com',
  clientConfig: { url: 'https://example.com/x' },
  rules: resourceRules,
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
};
const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' };
const claimSpec = { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c' } }] } };
const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }];
const roleRef = (kind: string) => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name: 'r' });
const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'jane' }];
const MOVED = { metadata: { labels: { moved: 'yes' } } };

/** `group/resource` → content and change. */
const CONTENT: Readonly<Record<string, readonly [content: Json, change?: Json]>> = {
  '/configmaps': [{ data: { a: '1' } }, { data: { b: '2' } }],
  '/endpoints': [
    { subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 80 }] }] },
    { subsets: [{ addresses: [{ ip: '192.0.2.2' }], ports: [{ port: 81 }] }] },
  ],
  '/events': [
    {
      involvedObject: { kind: 'Pod', namespace: '{ns}', name: 'p' },
      reason: 'Started',
      message: 'it started',
      type: 'Normal',
      source: { component: 'test' },
      firstTimestamp: '2020-01-02T03:04:05Z',
      lastTimestamp: '2020-01-02T03:04:05Z',
      count: 1,
    },
    { count: 2 },
  ],
  '/limitranges': [
    { spec: { limits: [{ type: 'Container', max: { cpu: '1' } }] } },
    { spec: { limits: [{ type: 'Container', max: { cpu: '2' } }] } },
  ],
  '/namespaces': [{}],
  '/nodes': [{}, { spec: { unschedulable: true } }],
  '/persistentvolumeclaims': [
    { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
  ],
  '/persistentvolumes': [
    { spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } } },
    { spec: { persistentVolumeReclaimPolicy: 'Delete' } },
  ],
  '/pods': [{ spec: podSpec }, { spec: { activeDeadlineSeconds: 30 } }],
  '/podtemplates': [{ template }, { template: { spec: { hostNetwork: true } } }],
  '/replicationcontrollers': [{ spec: { replicas: 1, selector: labels, template } }, { spec: { replicas: 3 } }],
  '/resourcequotas': [{ spec: { hard: { pods: '10' } } }, { spec: { hard: { secrets: '5' } } }],
  '/secrets': [{ data: { a: 'MQ==' } }, { data: { b: 'Mg==' } }],
  '/serviceaccounts': [{}, { automountServiceAccountToken: false }],
  '/services': [{ spec: { selector: labels, ports: [{ port: 80 }] } }, { spec: { selector: { app: 'y' } } }],
  'apps/controllerrevisions': [{ data: { x: 1 }, revision: 1 }, { revision: 2 }],
  'apps/daemonsets': [{ spec: { selector: { matchLabels: labels }, template } }, { spec: { minReadySeconds: 5 } }],
  'apps/deployments': [
    { spec: { replicas: 1, selector: { matchLabels: labels }, template } },
    { spec: { replicas: 3 } },
  ],
  'apps/replicasets': [
    { spec: { replicas: 1, selector: { matchLabels: labels }, template } },
    { spec: { replicas: 3 } },
  ],
  'apps/statefulsets': [
    { spec: { replicas: 1, serviceName: 's', selector: { matchLabels: labels }, template } },
    { spec: { replicas: 3 } },
  ],
  'autoscaling/horizontalpodautoscalers': [{ spec: { scaleTargetRef, maxReplicas: 3 } }, { spec: { maxReplicas: 5 } }],
  'batch/cronjobs': [
    { spec: { schedule: '*/5 * * * *', jobTemplate: { spec: { template: jobTemplate } } } },
    { spec: { suspend: true } },
  ],
  'batch/jobs': [{ spec: { template: jobTemplate } }, { spec: { parallelism: 2 } }],
  'certificates.k8s.io/certificatesigningrequests': [
    { spec: { request: CERTIFICATE_REQUEST, signerName: 'example.com/signer', usages: ['client auth'] } },
  ],
  'networking.k8s.io/ingressclasses': [{ spec: { controller: 'example.com/c' } }],
  'networking.k8s.io/ingresses': [
    { spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } } },
    { spec: { ingressClassName: 'k' } },
  ],
  'networking.k8s.io/ipaddresses': [{ spec: { parentRef: { resource: 'services', namespace: 'default', name: 'x' } } }],
  'networking.k8s.io/networkpolicies': [{ spec: { podSelector: {} } }, { spec: { policyTypes: ['Egress'] } }],
  'networking.k8s.io/servicecidrs': [{ spec: { cidrs: ['2001:db8::/112'] } }],
  'policy/poddisruptionbudgets': [
    { spec: { minAvailable: 1, selector: { matchLabels: labels } } },
    { spec: { minAvailable: 2 } },
  ],
  'rbac.authorization.k8s.io/roles': [{ rules }, { rules: [] }],
  'rbac.authorization.k8s.io/clusterroles': [{ rules }, { rules: [] }],
  'rbac.authorization.k8s.io/rolebindings': [{ roleRef: roleRef('Role'), subjects }, { subjects: [] }],
  'rbac.authorization.k8s.io/clusterrolebindings': [{ roleRef: roleRef('ClusterRole'), subjects }, { subjects: [] }],
  'storage.k8s.io/csidrivers': [{ spec: { attachRequired: false } }, { spec: { requiresRepublish: true } }],
  'storage.k8s.io/csinodes': [
    { spec: { drivers: [] } },
    { spec: { drivers: [{ name: 'd.example.com', nodeID: 'n' }] } },
  ],
  'storage.k8s.io/csistoragecapacities': [{ storageClassName: 'x' }, { capacity: '1Gi' }],
  'storage.k8s.io/storageclasses': [{ provisioner: 'p' }, { allowVolumeExpansion: true }],
  'storage.k8s.io/volumeattachments': [
    { spec: { attacher: 'a', nodeName: 'n', source: { persistentVolumeName: 'pv' } } },
  ],
  'storage.k8s.io/volumeattributesclasses': [{ driverName: 'd.example.com', parameters: { a: 'b' } }],
  'admissionregistration.k8s.io/mutatingadmissionpolicies': [
    {
      spec: {
        matchConstraints: { resourceRules },
        failurePolicy: 'Fail',
        reinvocationPolicy: 'Never',
        mutations: [
          {
            patchType: 'ApplyConfiguration',
            applyConfiguration: { expression: 'Object{metadata: Object.metadata{labels: {"a": "b"}}}' },
          },
        ],
      },
    },
    { spec: { failurePolicy: 'Ignore' } },
  ],
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings': [
    { spec: { policyName: 'p' } },
    { spec: { policyName: 'q' } },
  ],
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': [{ webhooks: [webhook] }, { webhooks: [] }],
  'admissionregistration.k8s.io/validatingadmissionpolicies': [
    { spec: { matchConstraints: { resourceRules }, validations: [{ expression: 'true' }] } },
    { spec: { failurePolicy: 'Ignore' } },
  ],
  'admissionregistration.k8s.io/validatingadmissionpolicybindings': [
    { spec: { policyName: 'p', validationActions: ['Deny'] } },
    { spec: { policyName: 'q' } },
  ],
  'admissionregistration.k8s.io/validatingwebhookconfigurations': [{ webhooks: [webhook] }, { webhooks: [] }],
  'apiextensions.k8s.io/customresourcedefinitions': [
    {
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { plural: '{id}', singular: '{id}', kind: 'K{id}', listKind: 'K{id}List' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    },
  ],
  'apiregistration.k8s.io/apiservices': [
    {
      spec: {
        group: '{id}.example.com',
        version: 'v1',
        groupPriorityMinimum: 1000,
        versionPriority: 15,
        service: { namespace: 'default', name: 'x' },
      },
    },
  ],
  'scheduling.k8s.io/priorityclasses': [{ value: 1000 }, { description: 'more' }],
  'coordination.k8s.io/leases': [
    { spec: { holderIdentity: 'h', leaseDurationSeconds: 15 } },
    { spec: { leaseTransitions: 2 } },
  ],
  'node.k8s.io/runtimeclasses': [{ handler: 'runc' }],
  'discovery.k8s.io/endpointslices': [
    { addressType: 'IPv4', endpoints: [{ addresses: ['192.0.2.1'] }], ports: [{ port: 80 }] },
    { endpoints: [{ addresses: ['192.0.2.2'] }] },
  ],
  'events.k8s.io/events': [
    {
      eventTime: '2020-01-02T03:04:05.000006Z',
      reportingController: 'example.com/c',
      reportingInstance: 'c-1',
      action: 'Starting',
      reason: 'Started',
      note: 'it started',
      type: 'Normal',
      regarding: { kind: 'Pod', namespace: '{ns}', name: 'p' },
    },
    { series: { count: 2, lastObservedTime: '2020-01-02T03:05:05.000006Z' } },
  ],
  'resource.k8s.io/deviceclasses': [
    { spec: { selectors: [{ cel: { expression: 'device.driver == "d.example.com"' } }] } },
    { spec: { selectors: [] } },
  ],
  'resource.k8s.io/resourceclaims': [{ spec: claimSpec }],
  'resource.k8s.io/resourceclaimtemplates': [{ spec: { spec: claimSpec } }],
  'resource.k8s.io/resourceslices': [
    {
      spec: {
        driver: 'd.example.com',
        nodeName: 'n',
        pool: { name: 'p', generation: 1, resourceSliceCount: 1 },
        devices: [{ name: 'd' }],
      },
    },
    { spec: { devices: [{ name: 'e' }] } },
  ],
  'flowcontrol.apiserver.k8s.io/flowschemas': [
    { spec: { priorityLevelConfiguration: { name: 'catch-all' }, matchingPrecedence: 9000 } },
    { spec: { matchingPrecedence: 9001 } },
  ],
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations': [
    { spec: { type: 'Limited', limited: { nominalConcurrencyShares: 5, limitResponse: { type: 'Reject' } } } },
    { spec: { limited: { nominalConcurrencyShares: 6 } } },
  ],
  // Not stored: asked for an answer.
  '/bindings': [{ target: { kind: 'Node', name: 'n' } }],
  '/componentstatuses': [{}],
  'authentication.k8s.io/selfsubjectreviews': [{}],
  'authentication.k8s.io/tokenreviews': [{ spec: { token: 'nobody' } }],
  'authorization.k8s.io/localsubjectaccessreviews': [
    { spec: { user: 'jane', resourceAttributes: { namespace: '{ns}', verb: 'get', resource: 'pods' } } },
  ],
  'authorization.k8s.io/selfsubjectaccessreviews': [
    { spec: { resourceAttributes: { verb: 'get', resource: 'pods' } } },
  ],
  'authorization.k8s.io/selfsubjectrulesreviews': [{ spec: { namespace: '{ns}' } }],
  'authorization.k8s.io/subjectaccessreviews': [
    { spec: { user: 'jane', resourceAttributes: { verb: 'get', resource: 'pods' } } },
  ],
};

/** Availability, establishment and dangling references are written into their status by the original itself. */
const TOUCHED = new Set(['apiservices', 'customresourcedefinitions', 'flowschemas', 'prioritylevelconfigurations']);

/** The rest are alpha and beta, off by default. */
const isOn = (served: ServedResource): boolean => /^v\d+$/.test(served.version);

export const offByDefault: readonly ServedResource[] = servedResources.filter((s) => !isOn(s));

export const kindCases: readonly KindCase[] = servedResources.filter(isOn).map((served) => {
  const { group, version, resource } = served;
  const found = CONTENT[`${group}/${resource}`];
  if (found === undefined) throw new Error(`no object of ${group}/${resource} is known to cases/verbs/kinds.ts`);
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  return {
    served,
    apiVersion: group === '' ? version : `${group}/${version}`,
    label: `${group === '' ? 'core' : group}.${version}.${served.kind}`,
    collection: served.namespaced ? `${root}/namespaces/{ns}/${resource}` : `${root}/${resource}`,
    isStored: served.verbs.includes('get') && served.verbs.includes('create'),
    isTouched: TOUCHED.has(resource),
    content: found[0],
    change: found[1] ?? MOVED,
    nameIn: (caseId) => nameOf(resource, caseId),
  };
});

function nameOf(resource: string, caseId: string): string {
  switch (resource) {
    case 'apiservices':
      return 'v1.{id}.example.com';
    case 'customresourcedefinitions':
      return '{id}.example.com';
    case 'ipaddresses': {
      const [a, b, c] = createHash('sha1').update(caseId).digest();
      return `11.${a}.${b}.${c}`;
    }
    default:
      return '{id}';
  }
}
