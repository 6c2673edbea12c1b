// Nodes: taint, cordon, drain in its refusing and its willing cases, and a node that nobody plays.
import type { Script } from '../script.ts';

const NODE = `
apiVersion: v1
kind: Node
metadata: {name: kd-idle, labels: {kind: idle, node-role.kubernetes.io/worker: ""}}
spec: {unschedulable: true, podCIDR: 10.245.1.0/24}
status: {capacity: {cpu: "2", memory: 4Gi, pods: "10"}, allocatable: {cpu: "2", memory: 4Gi, pods: "10"}}
`;

const PODS = `
apiVersion: v1
kind: Pod
metadata: {name: bare, labels: {app: bare}}
spec: {nodeName: node-3, terminationGracePeriodSeconds: 1, containers: [{name: c, image: "c:1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: local, labels: {app: local}}
spec: {nodeName: node-3, terminationGracePeriodSeconds: 1, containers: [{name: c, image: "c:1"}], volumes: [{name: e, emptyDir: {}}]}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: owned}
spec:
  replicas: 1
  selector: {matchLabels: {app: owned}}
  template:
    metadata: {labels: {app: owned}}
    spec: {nodeSelector: {kubernetes.io/hostname: node-3}, terminationGracePeriodSeconds: 1, containers: [{name: c, image: "c:1"}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: ds}
spec:
  selector: {matchLabels: {app: ds}}
  template:
    metadata: {labels: {app: ds}}
    spec: {nodeSelector: {kubernetes.io/os: linux}, terminationGracePeriodSeconds: 1, containers: [{name: c, image: "c:1"}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: keep}
spec: {minAvailable: 1, selector: {matchLabels: {app: owned}}}
`;

export const nodes: readonly Script[] = [
  {
    name: 'nodes',
    files: { 'node.yaml': NODE },
    steps: [
      'create -f node.yaml',
      'get node kd-idle',
      { run: 'get node kd-idle -o yaml', until: /node.alpha.kubernetes.io.ttl[^]*unschedulable$/m },
      'get nodes -l kind=idle -o wide',
      { run: 'describe node kd-idle', until: /RegisteredNode/ },
      'get nodes -l kind=idle -L kind --sort-by=.metadata.name',
      'get nodes -o name',
      'get node node-1',
      'taint nodes kd-idle a=b:NoSchedule',
      'taint nodes kd-idle a=b:NoSchedule',
      'taint nodes kd-idle a=c:NoSchedule',
      'taint nodes kd-idle a=c:NoSchedule --overwrite',
      'taint nodes kd-idle a=b:NoExecute only:PreferNoSchedule',
      'taint nodes kd-idle a=b:Strange',
      'taint nodes kd-idle a',
      'taint nodes kd-idle',
      'taint nodes kd-idle a:NoExecute-',
      'taint nodes kd-idle a-',
      'taint nodes kd-idle none-',
      'taint nodes kd-idle a=b:NoSchedule a-',
      'taint nodes -l kind=idle x=y:NoSchedule --dry-run=client',
      'taint nodes -l kind=idle x=y:NoSchedule --dry-run=server',
      'taint nodes nothing x=y:NoSchedule',
      'taint pods x x=y:NoSchedule',
      'uncordon kd-idle',
      'uncordon kd-idle',
      'cordon kd-idle',
      'cordon kd-idle',
      'cordon -l kind=idle --dry-run=client',
      'cordon nothing',
      'cordon',
      'get node kd-idle -o jsonpath={.spec.unschedulable}',
      'label node kd-idle kind=busy --overwrite',
      'label node kd-idle node-role.kubernetes.io/worker-',
      'annotate node kd-idle a=b',
      'patch node kd-idle -p \'{"spec":{"podCIDR":"10.245.2.0/24"}}\'',
      'patch node kd-idle -p \'{"spec":{"unschedulable":false}}\'',
      'get node kd-idle -o jsonpath={.spec}',
      'get node kd-idle -o jsonpath={.metadata.labels}',
      'drain kd-idle --dry-run=client',
      'drain kd-idle',
      'describe node nothing',
      'delete node kd-idle',
      'get node kd-idle',
      'get leases -n kube-node-lease -o name',
    ],
  },
  {
    name: 'drain',
    files: { 'pods.yaml': PODS },
    steps: [
      'apply -f pods.yaml',
      { run: 'wait pods -l app=owned --for=condition=Ready --timeout=20s', isSetUp: true },
      { run: 'wait pods bare local --for=condition=Ready --timeout=20s', isSetUp: true },
      { run: 'wait pdb keep --for=jsonpath={.status.currentHealthy}=1 --timeout=20s' },
      'get pdb keep',
      'drain node-3 --pod-selector=app=bare',
      'drain node-3 --pod-selector=app=local --force',
      'drain node-3 --pod-selector=app=ds',
      'drain node-3 --pod-selector=app=bare --dry-run=client --force',
      'drain node-3 --pod-selector=app=bare --dry-run=server --force',
      'drain node-3 --pod-selector=app=bare --force --timeout=20s',
      'drain node-3 --pod-selector=app=local --force --delete-emptydir-data --grace-period=1 --timeout=20s',
      { run: 'drain node-3 --pod-selector=app=owned --timeout=2s' },
      'drain node-3 --pod-selector=app=owned --disable-eviction --timeout=20s',
      'drain node-3 --pod-selector="app in (ds)" --ignore-daemonsets',
      'drain -l kubernetes.io/hostname=node-3 --pod-selector=app=nothing',
      'drain nothing',
      'drain',
      'drain node-3 -l a=b',
      'get pods bare local',
      'delete pdb keep',
      'uncordon node-3',
      'create --raw /api/v1/namespaces/kd-drain/pods/nothing/eviction -f -',
      {
        run: 'create --raw /api/v1/namespaces/kd-drain/pods/nothing/eviction -f - --v=0',
        stdin: '{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"nothing"}}',
      },
    ],
  },
];
