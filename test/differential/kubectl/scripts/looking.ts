// Looking: what the server has to offer, what its kinds mean, and one object of every kind in every output.
import type { Script, Step } from '../script.ts';

/** Every kind that has not been met in other scripts, one object each. */
const OBJECTS = `
apiVersion: v1
kind: PersistentVolume
metadata: {name: kd-pv}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /tmp/x}, storageClassName: kd-manual, persistentVolumeReclaimPolicy: Retain, claimRef: {namespace: kd-kinds, name: other}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claim}
spec: {accessModes: [ReadWriteOnce], storageClassName: kd-none, resources: {requests: {storage: 1Gi}}}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: kd-sc}
provisioner: example.com/disk
allowVolumeExpansion: true
volumeBindingMode: WaitForFirstConsumer
parameters: {type: fast}
mountOptions: [noatime]
---
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: kd.example.com}
spec: {attachRequired: true}
---
apiVersion: storage.k8s.io/v1
kind: CSINode
metadata: {name: kd-csinode}
spec: {drivers: [{name: kd.example.com, nodeID: kd}]}
---
apiVersion: storage.k8s.io/v1
kind: VolumeAttachment
metadata: {name: kd-va}
spec: {attacher: kd.example.com, nodeName: nowhere, source: {persistentVolumeName: kd-pv}}
---
apiVersion: storage.k8s.io/v1
kind: VolumeAttributesClass
metadata: {name: kd-vac}
driverName: kd.example.com
parameters: {iops: "100"}
---
apiVersion: storage.k8s.io/v1
kind: CSIStorageCapacity
metadata: {name: capacity}
storageClassName: kd-sc
capacity: 10Gi
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: kd-ic}
spec: {controller: example.com/ingress, parameters: {kind: ConfigMap, name: x, scope: Cluster}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: np}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress, Egress]
  ingress: [{from: [{podSelector: {matchLabels: {app: api}}}, {namespaceSelector: {}}, {ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.128/25]}}], ports: [{port: 5432}]}]
  egress: [{to: [], ports: [{port: 53, protocol: UDP, endPort: 54}]}, {}]
---
apiVersion: v1
kind: LimitRange
metadata: {name: limits}
spec: {limits: [{type: Container, default: {cpu: 500m}, defaultRequest: {cpu: 100m}, max: {cpu: "1"}, min: {cpu: 10m}, maxLimitRequestRatio: {cpu: "10"}}, {type: PersistentVolumeClaim, max: {storage: 10Gi}}]}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: kd-kinds-pc}
value: 10
preemptionPolicy: Never
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: kd-rc}
handler: gvisor
overhead: {podFixed: {cpu: 10m}}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: lease}
spec: {holderIdentity: me, leaseDurationSeconds: 15}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: slice, labels: {kubernetes.io/service-name: none}}
addressType: IPv4
ports: [{name: http, port: 80, protocol: TCP}]
endpoints: [{addresses: [192.0.2.7], conditions: {ready: true}, zone: a, nodeName: kd}, {addresses: [192.0.2.8], conditions: {ready: false}}]
---
apiVersion: v1
kind: Endpoints
metadata: {name: ends}
subsets: [{addresses: [{ip: 192.0.2.7}], ports: [{name: http, port: 80}]}]
---
apiVersion: v1
kind: PodTemplate
metadata: {name: template}
template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: "c:1"}]}}
---
apiVersion: apps/v1
kind: ControllerRevision
metadata: {name: revision}
data: {a: b}
revision: 3
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: hpa}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: none}
  maxReplicas: 3
  metrics:
    - {type: Pods, pods: {metric: {name: rps}, target: {type: AverageValue, averageValue: "100"}}}
    - {type: Object, object: {describedObject: {kind: Service, name: s}, metric: {name: x}, target: {type: Value, value: "10"}}}
    - {type: External, external: {metric: {name: queue}, target: {type: Value, value: "5"}}}
    - {type: Resource, resource: {name: memory, target: {type: Utilization, averageUtilization: 50}}}
  behavior: {scaleDown: {stabilizationWindowSeconds: 60, policies: [{type: Pods, value: 1, periodSeconds: 15}]}}
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: PriorityLevelConfiguration
metadata: {name: kd-level}
spec: {type: Limited, limited: {nominalConcurrencyShares: 5, limitResponse: {type: Reject}}}
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: {name: kd-schema}
spec:
  priorityLevelConfiguration: {name: kd-level}
  matchingPrecedence: 9999
  rules: [{subjects: [{kind: User, user: {name: kd-nobody}}], resourceRules: [{verbs: ["*"], apiGroups: ["*"], resources: ["*"], namespaces: ["*"]}]}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: kd-vwc}
webhooks: [{name: a.example.com, admissionReviewVersions: [v1], sideEffects: None, clientConfig: {url: "https://example.com/x"}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: kd-mwc}
webhooks: []
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: kd-vap}
spec: {matchConstraints: {resourceRules: [{apiGroups: [example.com], apiVersions: [v1], operations: [CREATE], resources: [things]}]}, validations: [{expression: "true"}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: kd-vapb}
spec: {policyName: kd-vap, validationActions: [Deny]}
---
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: kd-device}
spec: {selectors: [{cel: {expression: "device.driver == 'x.example.com'"}}]}
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {name: rclaim}
spec: {devices: {requests: [{name: r, exactly: {deviceClassName: kd-device}}]}}
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: rct}
spec: {spec: {devices: {requests: [{name: r, exactly: {deviceClassName: kd-device}}]}}}
---
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: {name: kd-slice}
spec: {driver: x.example.com, nodeName: nowhere, pool: {name: p, generation: 1, resourceSliceCount: 1}, devices: [{name: d}]}
---
apiVersion: networking.k8s.io/v1
kind: ServiceCIDR
metadata: {name: kd-cidr}
spec: {cidrs: [198.51.100.0/24]}
---
apiVersion: networking.k8s.io/v1
kind: IPAddress
metadata: {name: 203.0.113.9}
spec: {parentRef: {resource: services, namespace: default, name: none}}
---
apiVersion: v1
kind: Event
metadata: {name: event}
involvedObject: {kind: Pod, name: none, namespace: kd-kinds}
reason: Testing
message: "a test"
type: Warning
count: 2
source: {component: tester}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: quota}
spec: {hard: {pods: "10", requests.cpu: "4"}, scopeSelector: {matchExpressions: [{scopeName: PriorityClass, operator: In, values: [high]}]}}
`;

/** Resource and name of each of them. */
const KINDS: readonly (readonly [resource: string, name: string])[] = [
  ['pv', 'kd-pv'],
  ['pvc', 'claim'],
  ['sc', 'kd-sc'],
  ['csidriver', 'kd.example.com'],
  ['csinode', 'kd-csinode'],
  ['volumeattachment', 'kd-va'],
  ['vac', 'kd-vac'],
  ['csistoragecapacity', 'capacity'],
  ['ingressclass', 'kd-ic'],
  ['netpol', 'np'],
  ['limits', 'limits'],
  ['priorityclass', 'kd-kinds-pc'],
  ['runtimeclass', 'kd-rc'],
  ['lease', 'lease'],
  ['endpointslice', 'slice'],
  ['endpoints', 'ends'],
  ['podtemplate', 'template'],
  ['controllerrevision', 'revision'],
  ['hpa', 'hpa'],
  ['prioritylevelconfiguration', 'kd-level'],
  ['flowschema', 'kd-schema'],
  ['validatingwebhookconfiguration', 'kd-vwc'],
  ['mutatingwebhookconfiguration', 'kd-mwc'],
  ['validatingadmissionpolicy', 'kd-vap'],
  ['validatingadmissionpolicybinding', 'kd-vapb'],
  ['apiservice', 'v1.apps'],
  ['deviceclass', 'kd-device'],
  ['resourceclaim', 'rclaim'],
  ['resourceclaimtemplate', 'rct'],
  ['resourceslice', 'kd-slice'],
  ['servicecidr', 'kd-cidr'],
  ['ipaddress', '203.0.113.9'],
  ['event', 'event'],
  ['quota', 'quota'],
];

const CLUSTER_SCOPED =
  'pv/kd-pv sc/kd-sc csidriver/kd.example.com csinode/kd-csinode volumeattachment/kd-va vac/kd-vac ingressclass/kd-ic priorityclass/kd-kinds-pc runtimeclass/kd-rc';

/** Names that `kubectl explain` takes, one for each kind. */
const EXPLAINED =
  'pods services configmaps secrets serviceaccounts namespaces nodes events endpoints persistentvolumes persistentvolumeclaims limitranges resourcequotas podtemplates replicationcontrollers deployments replicasets statefulsets daemonsets controllerrevisions jobs cronjobs horizontalpodautoscalers ingresses ingressclasses networkpolicies servicecidrs ipaddresses poddisruptionbudgets priorityclasses runtimeclasses leases endpointslices roles rolebindings clusterroles clusterrolebindings storageclasses csidrivers csinodes csistoragecapacities volumeattachments volumeattributesclasses certificatesigningrequests flowschemas prioritylevelconfigurations validatingwebhookconfigurations mutatingwebhookconfigurations validatingadmissionpolicies validatingadmissionpolicybindings apiservices customresourcedefinitions resourceclaims resourceclaimtemplates deviceclasses resourceslices'.split(
    ' ',
  );

const explain = (args: string): Step => ({ run: `explain ${args}`, withoutDescriptions: true });

export const looking: readonly Script[] = [
  {
    name: 'kinds',
    files: { 'objects.yaml': OBJECTS },
    steps: [
      'apply -f objects.yaml',
      { run: 'get pv kd-pv', until: /Available/ },
      ...KINDS.flatMap(([resource, name]) => [`get ${resource} ${name}`, `describe ${resource} ${name}`]),
      'get pv,sc,runtimeclass -o wide -l none=none',
      'get pv kd-pv -o yaml',
      'get pvc claim -o yaml',
      'get netpol np -o yaml',
      'get hpa hpa -o yaml',
      'get apiservice v1.apps -o yaml',
      'get flowschema kd-schema -o yaml',
      'get validatingwebhookconfiguration kd-vwc -o yaml',
      'get resourceclaim rclaim -o yaml',
      'get ingressclass,endpoints,podtemplate -o wide',
      'get events',
      'get flowschemas',
      'get prioritylevelconfigurations',
      'get apiservices -l kube-aggregator.kubernetes.io/automanaged=onstart',
      'get servicecidr kubernetes -o yaml',
      'get priorityclass system-node-critical -o yaml',
      'get svc kubernetes -n default',
      'get ns default -o yaml',
      'get cm kube-root-ca.crt -o yaml',
      'get cm -n kube-public',
      'get cm extension-apiserver-authentication -n kube-system -o jsonpath={.data.requestheader-client-ca-file}',
      'get role extension-apiserver-authentication-reader -n kube-system -o yaml',
      'delete flowschema/kd-schema prioritylevelconfiguration/kd-level',
      'delete validatingwebhookconfiguration/kd-vwc mutatingwebhookconfiguration/kd-mwc',
      'delete validatingadmissionpolicybinding/kd-vapb validatingadmissionpolicy/kd-vap',
      'delete resourceclaim/rclaim resourceclaimtemplate/rct deviceclass/kd-device resourceslice/kd-slice',
      'delete servicecidr kd-cidr --wait=false',
      'delete ipaddress 203.0.113.9',
      `delete ${CLUSTER_SCOPED} --wait=false`,
      'delete pvc claim',
    ],
  },
  {
    name: 'discovery',
    steps: [
      'api-resources',
      'api-resources -o wide',
      'api-resources -o name',
      'api-resources --namespaced=true --no-headers',
      'api-resources --namespaced=false -o name',
      'api-resources --api-group=apps',
      'api-resources --api-group=""',
      'api-resources --verbs=list,watch -o name',
      'api-resources --verbs=deletecollection --api-group=batch',
      'api-resources --categories=all',
      'api-resources --sort-by=name',
      'api-resources --sort-by=kind',
      'api-resources --sort-by=strange',
      'api-resources --cached -o name',
      'api-resources -o json',
      'api-resources -o strange',
      'api-versions',
      'version -o json --client=false',
      'cluster-info',
      'get --raw /api',
      'get --raw /apis',
      'get --raw /api/v1',
      'get --raw /apis/apps/v1',
      'get --raw /apis/batch',
      'get --raw /apis/nothing',
      'get --raw /',
      'get --raw /version',
      'get --raw /livez',
      'get --raw /healthz/ping',
      'get --raw /nothing',
      'get --raw /openapi/v3/nothing',
      'get --raw nothing',
      'get --raw /api/v1/namespaces/kd-discovery/configmaps/nothing',
      'get --raw /api/v1/namespaces/kd-discovery/pods?limit=1',
      'get --raw /api/v1/pods?fieldSelector=broken',
      'get --raw /api/v1/namespaces/kd-discovery/pods/x/log',
      'get things',
      'get pods.apps',
      'get deployments.v1.apps',
      'get deployments.v9.apps',
      'get deploy.apps',
      'get po/x/y',
      'get pods x -l a=b',
      'get pods -A -l none=none',
      'get pods -w -l none=none --request-timeout=1s',
      { run: 'get cm -w -o name', stopWhen: /kube-root-ca/ },
      { run: 'get cm kube-root-ca.crt -w -o jsonpath={.metadata.name}', stopWhen: /kube-root-ca/ },
      'get cm --output-watch-events',
      { run: 'get cm --watch --output-watch-events', stopWhen: /kube-root-ca/ },
      'get nodes --subresource=status node-1 -o jsonpath={.metadata.name}',
      'get deploy x --subresource=scale',
      'get pods x --subresource=log',
      'get all -n kd-nowhere',
      'get pods -n kd-nowhere',
      'get pods --chunk-size=1',
      'get pods --server-print=false',
      'get cm --server-print=false',
      'get cm --show-kind',
      'get cm -o yaml --show-managed-fields=strange',
      'get cm --sort-by={.metadata.name} -o name',
      'get cm --sort-by=.none',
      'get -f missing.yaml',
      'get',
    ],
  },
  {
    name: 'explain',
    steps: EXPLAINED.slice(0, 28).map((resource) => explain(`${resource} --recursive`)),
  },
  {
    name: 'explain-more',
    steps: [
      ...EXPLAINED.slice(28).map((resource) => explain(`${resource} --recursive`)),
      ...['pods', 'deployments', 'pod.spec', 'pod.spec.containers', 'pod.spec.containers.ports.protocol'].map(explain),
      ...['pod.metadata', 'service.spec.type', 'deployment.spec.strategy', 'ingress.spec.rules.http.paths'].map(
        explain,
      ),
      ...[
        'hpa --api-version=autoscaling/v1',
        'hpa.spec --api-version=autoscaling/v2',
        'events --api-version=events.k8s.io/v1',
      ].map(explain),
      ...['pods --output=plaintext-openapiv2', 'pod.spec.volumes --recursive --output=plaintext-openapiv2'].map(
        explain,
      ),
      'explain pod.spec.nothing',
      'explain nothing',
      'explain pods --api-version=v9',
      'explain pods --output=strange',
      'explain',
      'explain pods services',
    ],
  },
];
