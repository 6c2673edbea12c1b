// Workloads through their week: roll out, undo, pause, restart, scale, autoscale, set, and what describe and get show of each kind.
import type { Script } from '../script.ts';

const deployment = (image: string): string => `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations: {kubernetes.io/change-cause: "image ${image}"}
spec:
  replicas: 2
  revisionHistoryLimit: 5
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {name: web, image: "${image}", ports: [{containerPort: 80}]}
`;

const ALL_KINDS = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: db, image: "postgres:17"}]
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      terminationGracePeriodSeconds: 1
      nodeSelector: {kubernetes.io/os: linux}
      containers: [{name: agent, image: "agent:1"}]
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: rs}
spec:
  replicas: 1
  selector: {matchLabels: {app: rs}}
  template:
    metadata: {labels: {app: rs}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: c, image: "c:1"}]
---
apiVersion: v1
kind: ReplicationController
metadata: {name: rc}
spec:
  replicas: 1
  selector: {app: rc}
  template:
    metadata: {labels: {app: rc}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: c, image: "c:1"}]
`;

const JOBS = `
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  template:
    metadata: {annotations: {hollow.coracle.dev/ends: "1s"}}
    spec:
      restartPolicy: Never
      containers: [{name: c, image: "c:1"}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: thrice}
spec:
  completions: 3
  parallelism: 2
  completionMode: Indexed
  template:
    metadata: {annotations: {hollow.coracle.dev/ends: "1s"}}
    spec:
      restartPolicy: Never
      containers: [{name: c, image: "c:1"}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: fails}
spec:
  backoffLimit: 0
  template:
    metadata: {annotations: {hollow.coracle.dev/ends: "1s:3"}}
    spec:
      restartPolicy: Never
      containers: [{name: c, image: "c:1"}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: waits}
spec:
  suspend: true
  template:
    spec:
      restartPolicy: Never
      containers: [{name: c, image: "c:1"}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  timeZone: Europe/Berlin
  suspend: true
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: OnFailure
          containers: [{name: c, image: "c:1", args: [a, b]}]
`;

const EVERYTHING = `
apiVersion: v1
kind: Pod
metadata: {name: full, labels: {app: full}, annotations: {note: "a long\\nnote"}}
spec:
  terminationGracePeriodSeconds: 1
  serviceAccountName: default
  securityContext: {runAsUser: 1000, fsGroup: 2000}
  hostAliases: [{ip: 192.0.2.1, hostnames: [a.example.com]}]
  tolerations: [{key: a, operator: Equal, value: b, effect: NoSchedule}, {operator: Exists, effect: NoExecute, tolerationSeconds: 60}]
  nodeSelector: {kubernetes.io/os: linux}
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: full}}}]
  initContainers:
    - {name: init, image: "init:1", command: [sh, -c, "true"]}
    - {name: side, image: "side:1", restartPolicy: Always}
  containers:
    - name: main
      image: "main:1"
      command: [run]
      args: [--a, b]
      ports: [{containerPort: 80, name: http}, {containerPort: 53, protocol: UDP}]
      env:
        - {name: A, value: b}
        - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
        - {name: CM, valueFrom: {configMapKeyRef: {name: cm, key: a, optional: true}}}
        - {name: S, valueFrom: {secretKeyRef: {name: s, key: a, optional: true}}}
      envFrom: [{configMapRef: {name: cm, optional: true}}, {secretRef: {name: s, optional: true}, prefix: P_}]
      resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 100m, memory: 64Mi, ephemeral-storage: 1Gi}}
      livenessProbe: {exec: {command: [cat, /x]}, initialDelaySeconds: 600}
      readinessProbe: {httpGet: {path: /ready, port: http}, initialDelaySeconds: 600}
      startupProbe: {tcpSocket: {port: 80}, initialDelaySeconds: 600}
      volumeMounts:
        - {name: conf, mountPath: /conf, readOnly: true}
        - {name: tmp, mountPath: /tmp, subPath: x}
        - {name: host, mountPath: /host}
  volumes:
    - {name: conf, configMap: {name: cm, optional: true}}
    - {name: sec, secret: {secretName: s, optional: true}}
    - {name: tmp, emptyDir: {medium: Memory, sizeLimit: 10Mi}}
    - {name: host, hostPath: {path: /tmp, type: Directory}}
    - {name: down, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
    - {name: nfs, nfs: {server: example.com, path: /x}}
    - {name: proj, projected: {sources: [{configMap: {name: cm, optional: true}}, {downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}, {serviceAccountToken: {path: token, expirationSeconds: 3600}}]}}
---
apiVersion: v1
kind: Pod
metadata: {name: pending}
spec:
  nodeSelector: {nowhere: here}
  containers: [{name: c, image: "c:1"}]
---
apiVersion: v1
kind: Pod
metadata: {name: huge}
spec:
  containers: [{name: c, image: "c:1", resources: {requests: {cpu: "1000"}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: gated}
spec:
  schedulingGates: [{name: example.com/wait}]
  containers: [{name: c, image: "c:1"}]
---
apiVersion: v1
kind: Pod
metadata: {name: ends, annotations: {hollow.coracle.dev/ends: "1s"}}
spec:
  restartPolicy: Never
  containers: [{name: c, image: "c:1"}]
---
apiVersion: v1
kind: Pod
metadata: {name: fails, annotations: {hollow.coracle.dev/ends: "1s:7"}}
spec:
  restartPolicy: Never
  containers: [{name: c, image: "c:1"}]
`;

export const workloads: readonly Script[] = [
  {
    name: 'rollout',
    files: { 'v1.yaml': deployment('nginx:1'), 'v2.yaml': deployment('nginx:2') },
    steps: [
      'apply -f v1.yaml',
      { run: 'rollout status deployment/web --timeout=20s', lastLine: true },
      'rollout history deployment/web',
      'apply -f v2.yaml',
      { run: 'rollout status deployment/web --timeout=20s', lastLine: true },
      { run: 'rollout history deployment/web', until: /\n2 / },
      'rollout history deployment/web --revision=2',
      'rollout history deployment/web --revision=9',
      'rollout history deployment/web -o name',
      { run: 'describe deployment web', until: /Available +True/ },
      'get deployment web -o yaml',
      { run: 'get rs -o wide', sorted: true },
      'rollout undo deployment/web --dry-run=client',
      'rollout undo deployment/web --dry-run=server',
      'rollout undo deployment/web',
      { run: 'rollout status deployment/web --timeout=20s', lastLine: true },
      { run: 'rollout history deployment/web', until: /\n3 / },
      'rollout undo deployment/web --to-revision=2',
      'rollout undo deployment/web --to-revision=2',
      'rollout undo deployment/web --to-revision=99',
      'rollout pause deployment/web',
      'rollout pause deployment/web',
      'set image deployment/web web=nginx:3',
      'rollout undo deployment/web',
      'rollout restart deployment/web',
      'rollout status deployment/web --watch=false',
      { run: 'describe deployment web --show-events=false', until: /DeploymentPaused/ },
      'rollout resume deployment/web',
      'rollout resume deployment/web',
      { run: 'rollout status deployment/web --timeout=20s', lastLine: true },
      'rollout restart svc/nothing',
      'rollout status deployment/nothing',
      'rollout status configmap/kube-root-ca.crt',
      { run: 'rollout status deployment/web --timeout=20s', lastLine: true },
      'rollout history deployment',
      'rollout',
      'rollout fly deployment/web',
      'scale deployment web --replicas=3',
      'scale deployment web --replicas=3',
      'scale deployment web --replicas=4 --current-replicas=9',
      'scale deployment web --replicas=1 --current-replicas=3 --resource-version=1',
      'scale deployment web --replicas=-1',
      'scale deployment web',
      'scale deployment nothing --replicas=1',
      'scale --replicas=2 -f v1.yaml',
      'scale deployment web --replicas=2 --dry-run=server',
      'scale deployment web --replicas=2 --timeout=10s',
      'scale configmap kube-root-ca.crt --replicas=1',
      'autoscale deployment web --min=2 --max=5 --cpu=80%',
      'autoscale deployment web --min=2 --max=5',
      'autoscale deployment web --min=5 --max=2 --name=bad',
      'autoscale deployment web --max=3 --cpu=500m --memory=50% --name=both --dry-run=server -o yaml',
      'autoscale deployment nothing --max=3',
      'autoscale deployment web --name=nomax',
      'get hpa -o name',
      'get hpa web -o jsonpath={.spec}',
      'get hpa.v1.autoscaling web -o jsonpath={.spec}',
      'delete hpa web',
      'delete deployment web',
    ],
  },
  {
    name: 'set',
    files: { 'v1.yaml': deployment('nginx:1'), 'local.yaml': deployment('nginx:9') },
    steps: [
      { run: 'apply -f v1.yaml', isSetUp: true },
      { run: 'create configmap conf --from-literal=color=red', isSetUp: true },
      { run: 'create serviceaccount sa', isSetUp: true },
      'set image deployment/web web=nginx:2',
      'set image deployment/web web=nginx:2',
      'set image deployment/web nothing=nginx:2',
      'set image deployment web',
      'set image deployments,rc web=nginx:3 --all',
      'set image deployment/web *=nginx:4',
      'set image -f local.yaml web=nginx:5 --local -o yaml',
      'set env deployment/web A=b C=d',
      'set env deployment/web --list',
      'set env deployment/web --from=configmap/conf',
      'set env deployment/web --from=configmap/conf --prefix=APP_ --keys=color',
      'set env deployment/web --from=secret/nothing',
      'set env deployment/web --list --resolve',
      'set env deployment/web A-',
      'set env deployment/web --all A=c',
      'set env deployment/web -c nothing A=b',
      'set env deployment/web A=b --dry-run=server',
      'set env deployment/web',
      'set env deployment/nothing A=b',
      'set resources deployment/web --limits=cpu=200m,memory=512Mi --requests=cpu=100m',
      'set resources deployment/web --limits=cpu=0,memory=0 --requests=cpu=0',
      'set resources deployment/web --limits=cpu=lots',
      'set resources deployment/web --limits=cpu=100m --requests=cpu=200m',
      'set resources deployment/web',
      'set resources -f local.yaml --limits=cpu=200m --local -o jsonpath={.spec.template.spec.containers[0].resources}',
      'set serviceaccount deployment web sa',
      'set sa deployment web nothing --dry-run=client',
      'set serviceaccount deployment web',
      'set subject rolebinding nothing --user=a',
      'set selector service nothing a=b',
      'set last-applied -f v1.yaml',
      'set',
      'get deployment web -o jsonpath={.spec.template.spec.containers}',
      'get deployment web -o jsonpath={.spec.template.spec.serviceAccountName}',
    ],
  },
  {
    name: 'sets',
    files: { 'all.yaml': ALL_KINDS },
    steps: [
      'apply -f all.yaml',
      { run: 'rollout status statefulset/db --timeout=20s', lastLine: true },
      { run: 'rollout status ds/agent --timeout=20s', lastLine: true },
      { run: 'get sts,ds,rs,rc', until: /db +2\/2[^]*agent +3 +3 +3[^]*rs +1 +1 +1[^]*rc +1 +1 +1/ },
      'get sts,ds,rs,rc -o wide',
      { run: 'get pods -l app=db', until: /db-1 +1\/1/ },
      'describe sts db',
      'describe ds agent',
      'describe rs rs',
      'describe rc rc',
      'get sts db -o yaml',
      'get ds agent -o yaml',
      'get rs rs -o json',
      'get rc rc -o yaml',
      'get controllerrevisions',
      'describe controllerrevision -l app=db',
      'rollout history sts/db',
      'set image sts/db db=postgres:18',
      { run: 'rollout status sts/db --timeout=30s', lastLine: true },
      'rollout history sts/db',
      'rollout history sts/db --revision=2',
      'rollout undo sts/db',
      'rollout undo ds/agent',
      'set image ds/agent agent=agent:2',
      { run: 'rollout status ds/agent --timeout=30s', lastLine: true },
      'rollout history ds/agent',
      'rollout history ds/agent --revision=1',
      'rollout undo ds/agent --to-revision=1',
      'rollout restart sts,ds -l app=none',
      'rollout restart sts/db',
      'rollout pause sts/db',
      'rollout history rs/rs',
      'scale sts db --replicas=1',
      { run: 'get pods -l app=db -o name', until: /^pod\/db-0\n$/ },
      'scale rc,rs --all --replicas=0',
      { run: 'get rc,rs', until: /rc +0 +0 +0[^]*rs +0 +0 +0/ },
      'scale ds agent --replicas=2',
      'set image rs/rs c=c:2',
      'expose rc rc --port=80',
      'expose rs rs --port=80',
      'expose ds agent --port=80',
      'autoscale sts db --max=3',
      'delete -f all.yaml --timeout=30s',
    ],
  },
  {
    name: 'jobs',
    files: { 'jobs.yaml': JOBS },
    steps: [
      'apply -f jobs.yaml',
      'wait job/once job/thrice --for=condition=Complete --timeout=30s',
      'wait job/fails --for=condition=Failed --timeout=30s',
      'get jobs',
      'get jobs -o wide',
      'get cronjobs -o wide',
      { run: 'get pods -l job-name=once', until: /Completed/ },
      { run: 'get pods -l batch.kubernetes.io/job-name=fails', until: /Error/ },
      'describe job once',
      { run: 'describe job thrice', sorted: true },
      'describe job fails',
      'describe job waits',
      'describe cronjob nightly',
      'get job once -o yaml',
      'get job fails -o jsonpath={.status}',
      'get job thrice -o jsonpath={.status.completedIndexes}',
      'get cronjob nightly -o yaml',
      'create job manual --from=cronjob/nightly -o yaml',
      'patch job waits -p \'{"spec":{"suspend":false}}\'',
      { run: 'get job waits', until: /Running/ },
      'patch job waits -p \'{"spec":{"completions":5}}\'',
      'patch cronjob nightly -p \'{"spec":{"schedule":"not a schedule"}}\'',
      'patch cronjob nightly -p \'{"spec":{"timeZone":"Nowhere/Land"}}\'',
      'get pods --field-selector=status.phase=Succeeded -l job-name=once -o name',
      'delete job once',
      { run: 'get pods -l job-name=once', until: /^$/ },
      'delete cronjob nightly',
      { run: 'get job manual -o name', until: /^$/ },
      { run: 'get events --field-selector=involvedObject.name=once', sorted: true },
      { run: 'events --for job/fails', sorted: true },
    ],
  },
  {
    name: 'pods',
    files: { 'pods.yaml': EVERYTHING },
    steps: [
      'apply -f pods.yaml --validate=strict',
      { run: 'get pods', until: /ends +0\/1 +Completed[^]*fails +0\/1 +Error[^]*full +1\/2 +Running/ },
      'describe pod full',
      'get pod full -o yaml',
      { run: 'describe pod pending', until: /FailedScheduling/ },
      { run: 'describe pod huge', until: /FailedScheduling/ },
      { run: 'describe pod gated' },
      { run: 'describe pod ends', until: /Succeeded/ },
      { run: 'describe pod fails', until: /Failed/ },
      'get pod ends -o yaml',
      'get pod gated pending -o wide',
      'get pods --field-selector=status.phase=Pending',
      'get pods --field-selector=spec.nodeName=',
      'get pod huge -o jsonpath={.status.conditions[*].message}',
      { run: 'events --for pod/pending', until: /FailedScheduling/ },
      'events --types=Warning --for pod/huge -o json',
      'events --types=Strange',
      { run: 'get events --field-selector=involvedObject.name=ends', sorted: true },
      'describe pod nothing',
      'describe pod p',
      'describe pods -l app=full --chunk-size=1',
      'describe -f pods.yaml --show-events=false',
      'patch pod full -p \'{"spec":{"containers":[{"name":"main","image":"main:2"}]}}\'',
      'patch pod full -p \'{"spec":{"containers":[{"name":"main","env":[{"name":"X","value":"y"}]}]}}\'',
      'patch pod full --subresource=resize -p \'{"spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":"20m"}}}]}}\'',
      'patch pod gated --type=json -p \'[{"op":"remove","path":"/spec/schedulingGates"}]\'',
      { run: 'get pod gated', until: /Running/ },
      'patch pod gated -p \'{"spec":{"activeDeadlineSeconds":1}}\'',
      { run: 'get pod gated', until: /DeadlineExceeded|Error|Failed/ },
      'debug pod/full --image=busybox -c dbg --attach=false',
      'debug full --image=busybox --copy-to=copy --attach=false',
      'debug pod/nothing --image=busybox',
      'debug full',
      'debug pod/full --image=busybox --profile=strange',
      'get pod full -o jsonpath={.spec.ephemeralContainers}',
      'get pod copy -o jsonpath={.spec.containers[*].name}',
      'logs pending',
      'logs full --since=1h --since-time=2020-01-01T00:00:00Z',
      'logs full --tail=x',
      'exec pending -- true',
      'attach pending',
      'port-forward pending 8080:80',
      'cp pending:/x y',
      'top pods',
      'top nodes',
      'delete pods --all --grace-period=1',
    ],
  },
];
