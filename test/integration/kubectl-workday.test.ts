// What people do with kubectl on a working day, with the real kubectl, API server, controllers and scheduler; no nodes run.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { startAll, stopAll, type Component } from '#base/lifecycle.ts';
import { silentLog } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SeededRandom } from '#base/random.ts';
import { testUser } from '#apiserver/fixture.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import { createControl } from '#cluster/control-plane.ts';
import { KubectlProgram, skipWithoutKubectl } from './kubectl-program.ts';
import { startLoopbackServer, type LoopbackServer } from './loopback.ts';

const MANIFEST = `
apiVersion: v1
kind: Pod
metadata: {name: hello-pod, labels: {app: hello}}
spec: {containers: [{name: web, image: "nginx:1"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, labels: {set: all}}
spec:
  replicas: 1
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: api, image: "api:1"}]}
`;
const NODE = `
apiVersion: v1
kind: Node
metadata: {name: n1}
`;
const ONE = `
apiVersion: v1
kind: ConfigMap
metadata: {name: one, labels: {set: pruned}}
`;

/** Arguments, exit code, what is printed. `%` in front of the first argument: tried until it is so, for what controllers do. */
type Step = readonly [command: string, code: number, expected: RegExp];

const generators: readonly Step[] = [
  ['create namespace ns1', 0, /namespace\/ns1 created/],
  ['create configmap cm --from-literal=a=b', 0, /configmap\/cm created/],
  ['create secret generic s --from-literal=a=b', 0, /secret\/s created/],
  [
    'create secret docker-registry dr --docker-server=x --docker-username=u --docker-password=p',
    0,
    /secret\/dr created/,
  ],
  ['create serviceaccount sa', 0, /serviceaccount\/sa created/],
  ['create role r --verb=get,list --resource=pods,deployments.apps', 0, /role.rbac.authorization.k8s.io\/r created/],
  ['create rolebinding rb --role=r --serviceaccount=default:sa', 0, /rb created/],
  ['create clusterrole cr --verb=get --resource=nodes', 0, /cr created/],
  ['create clusterrole agg --aggregation-rule=a=b', 0, /agg created/],
  ['create clusterrolebinding crb --clusterrole=cr --user=bob', 0, /crb created/],
  ['create deployment web --image=nginx:1 --replicas=2 --port=80', 0, /deployment.apps\/web created/],
  ['create job j --image=busybox -- echo hi', 0, /job.batch\/j created/],
  ['create cronjob cj --image=busybox --schedule=*/5_*_*_*_* -- date', 0, /cronjob.batch\/cj created/],
  ['create job j2 --from=cronjob/cj', 0, /job.batch\/j2 created/],
  ['create quota q --hard=pods=10,cpu=4', 0, /resourcequota\/q created/],
  ['create pdb p --selector=app=web --min-available=1', 0, /poddisruptionbudget.policy\/p created/],
  ['create priorityclass pc --value=1000', 0, /priorityclass.scheduling.k8s.io\/pc created/],
  ['create ingress ing --class=nginx --rule=foo.com/bar*=svc1:8080,tls=my-cert', 0, /ing created/],
  ['create service clusterip s1 --tcp=80:8080', 0, /service\/s1 created/],
  ['create service nodeport s2 --tcp=80:8080 --node-port=30081', 0, /service\/s2 created/],
  ['create service nodeport s2b --tcp=80 --node-port=30081', 1, /provided port is already allocated/],
  ['create service externalname s3 --external-name=example.com', 0, /service\/s3 created/],
  ['create service loadbalancer s4 --tcp=80', 0, /service\/s4 created/],
  ['run tmp --image=busybox --env=A=b --labels=x=y -- sleep 1', 0, /pod\/tmp created/],
  ['expose deployment web --port=80 --target-port=8080 --name=websvc', 0, /service\/websvc exposed/],
  ['autoscale deployment web --min=2 --max=5 --cpu=80%', 0, /web autoscaled/],
  ['get hpa', 0, /Deployment\/web\s+cpu: <unknown>\/80%\s+2\s+5/],
];

const rollouts: readonly Step[] = [
  ['%rollout history deploy/web', 0, /REVISION\s+CHANGE-CAUSE\n1\s+<none>/],
  ['set image deployment/web nginx=nginx:2', 0, /image updated/],
  ['%rollout history deploy/web', 0, /\n2\s+<none>/],
  ['rollout history deploy/web --revision=2', 0, /Image:\s+nginx:2/],
  ['rollout undo deploy/web', 0, /web rolled back/],
  ['get deploy web -o jsonpath={.spec.template.spec.containers[0].image}', 0, /^nginx:1$/],
  ['%rollout history deploy/web', 0, /\n2\s+<none>\n3\s+<none>/],
  ['rollout undo deploy/web --to-revision=9', 1, /unable to find specified revision 9 in history/],
  ['rollout pause deploy/web', 0, /paused/],
  ['rollout undo deploy/web', 1, /cannot rollback a paused deployment/],
  ['rollout resume deploy/web', 0, /resumed/],
  ['%rollout status deploy/web --watch=false', 0, /Waiting for deployment "web" rollout to finish/],
  ['set env deployment/web A=b', 0, /env updated/],
  ['set resources deployment/web --limits=cpu=200m,memory=512Mi', 0, /resource requirements updated/],
  ['set serviceaccount deployment web sa', 0, /serviceaccount updated/],
  ['set selector service s1 app=web', 0, /selector updated/],
  ['set subject rolebinding rb --user=ann', 0, /subjects updated/],
  ['scale deployment web --replicas=6 --current-replicas=5', 1, /[Ee]xpected replicas to be 5, was 2/],
  ['scale deployment web --replicas=3 --current-replicas=2', 0, /scaled/],
];

const changes: readonly Step[] = [
  ['apply --server-side=false -f all.yaml', 0, /pod\/hello-pod created/],
  ['create -f node.yaml', 0, /node\/n1 created/],
  ['apply --server-side -f all.yaml', 0, /pod\/hello-pod serverside-applied/],
  ['diff -f all.yaml', 0, /^$/],
  ['patch deployment api -p {"spec":{"replicas":2}}', 0, /patched/],
  ['patch deployment api -p {"spec":{"replicas":2}}', 0, /patched \(no change\)/],
  ['patch deployment api --type=merge -p {"spec":{"paused":true}}', 0, /patched/],
  ['patch deployment api --type=json -p [{"op":"remove","path":"/spec/paused"}]', 0, /patched/],
  [
    'patch deployment api --type=json -p [{"op":"test","path":"/spec/replicas","value":7}]',
    1,
    /testing value|test failed|rejected/,
  ],
  ['diff -f all.yaml', 1, /-\s+replicas: 2\n\+\s+replicas: 1/],
  ['replace -f all.yaml', 0, /deployment.apps\/api replaced/],
  ['replace --force -f all.yaml', 0, /deployment.apps\/api replaced/],
  ['label pod hello-pod app=other', 1, /already has a value \(hello\), and --overwrite is false/],
  ['label pod hello-pod app=other --overwrite', 0, /labeled/],
  ['annotate pod hello-pod a=b', 0, /annotated/],
  ['annotate pod hello-pod a=c', 1, /--overwrite is false/],
  ['annotate pod hello-pod a-', 0, /annotated/],
  ['apply --server-side=false -f one.yaml', 0, /configmap\/one created/],
  [
    'apply --server-side=false --prune --prune-allowlist=core/v1/ConfigMap -l set=pruned -f empty.yaml',
    0,
    /configmap\/one pruned/,
  ],
  ['cordon n1', 0, /cordoned/],
  ['drain n1 --dry-run=server', 0, /node\/n1 drained \(server dry run\)/],
  ['uncordon n1', 0, /uncordoned/],
  ['taint nodes n1 a=b:NoSchedule', 0, /tainted/],
  ['taint nodes n1 a-', 0, /untainted/],
];

const looks: readonly Step[] = [
  ['get pods -l app=web --sort-by=.metadata.name -o name', 0, /^(pod\/web-\S+\n){4}$/],
  [
    'get deploy web -o custom-columns=N:.metadata.name,I:.spec.template.spec.containers[0].image',
    0,
    /N\s+I\nweb\s+nginx:1/,
  ],
  ['get deploy web -o go-template={{.spec.replicas}}', 0, /^3$/],
  ['get all', 0, /replicaset.apps\/web-\S+\s+\d\s+\d\s+0/],
  ['get pods --field-selector=foo=bar', 1, /field label not supported: foo/],
  ['get pods --field-selector=status.phase=Running', 0, /No resources found/],
  ['%events', 0, /ScalingReplicaSet\s+Deployment\/web\s+Scaled up replica set web-\S+ from 0 to 2/],
  ['%events --for deployment/api --types=Normal', 0, /ScalingReplicaSet/],
  ['%get events --field-selector=reason=FailedScheduling', 0, /0\/1 nodes are available/],
  ['explain pod.spec.containers --recursive', 0, /configMapKeyRef\t<ConfigMapKeySelector>/],
  ['api-versions', 0, /^(?=[\s\S]*apps\/v1\n)(?=[\s\S]*networking.k8s.io\/v1\n)[\s\S]*\nv1\n$/],
  ['get --raw /api/v1/namespaces/default', 0, /^{"kind":"Namespace","apiVersion":"v1"/],
  ['get --raw /openapi/v2', 0, /^{"swagger":"2.0","info":{"title":"Kubernetes","version":"v1.36/],
  ['create -f foreign.yaml', 1, /no matches for kind "Bar" in version "foo\/v1"\s+ensure CRDs are installed first/],
  ['auth can-i create pods', 0, /^yes/],
  ['auth can-i --list', 0, /Resources\s+Non-Resource URLs[\s\S]*\*\.\*\s+\[\]\s+\[\]\s+\[\*\]/],
  ['auth whoami', 0, /Username\s+tester/],
  ['top pods', 1, /error: Metrics API not available/],
  ['wait pod/hello-pod --for=jsonpath={.status.phase}=Pending --timeout=5s', 0, /condition met/],
  ['wait pod/hello-pod --for=condition=Ready --timeout=1s', 1, /timed out waiting for the condition/],
  ['create token sa', 1, /the server could not find the requested resource/],
];

const ends: readonly Step[] = [
  ['delete deploy api --cascade=orphan', 0, /deleted/],
  ['get rs -l app=api -o name', 0, /^replicaset.apps\/api-\S+\n$/],
  ['get rs -l app=api -o jsonpath={.items[*].metadata.ownerReferences}', 0, /^$/],
  ['delete deploy web --cascade=foreground --timeout=20s', 0, /deleted/],
  ['get rs,pods -l app=web', 0, /No resources found/],
  ['delete pod hello-pod --grace-period=0 --force', 0, /force deleted/],
  ['delete pod nobody --ignore-not-found', 0, /^$/],
  ['delete namespace ns1 --timeout=20s', 0, /namespace "ns1" deleted/],
  ['get namespace ns1', 1, /NotFound/],
];

describe('kubectl on a working day', { skip: skipWithoutKubectl }, () => {
  let server: LoopbackServer;
  let kubectl: KubectlProgram;
  let control: readonly Component[];
  before(async () => {
    server = await startLoopbackServer({
      deps: {
        rules: {
          rulesFor: () => ({
            resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
            nonResourceRules: [],
            incomplete: false,
          }),
        },
      } as never,
    });
    const clock = new SystemClock();
    control = createControl(
      { podCIDR: '10.244.0.0/16', rootCa: server.authority.certificate, disabled: [] },
      {
        transport: createInProcessTransport(server.server.exchange, testUser),
        clock,
        random: new SeededRandom(1),
        log: silentLog,
        metrics: new MetricsRegistry(),
      },
    );
    await startAll(control, new AbortController().signal);
    kubectl = new KubectlProgram(server.kubeconfig);
    kubectl.write('all.yaml', MANIFEST);
    kubectl.write('node.yaml', NODE);
    kubectl.write('one.yaml', ONE);
    kubectl.write('foreign.yaml', ONE.replace('v1', 'foo/v1').replace('ConfigMap', 'Bar'));
    kubectl.write('empty.yaml', ONE.replaceAll('one', 'other'));
  });
  after(async () => {
    await stopAll(control);
    await server.stop();
    kubectl.remove();
  });

  async function take([command, code, expected]: Step): Promise<void> {
    const eventually = command.startsWith('%');
    const args = (eventually ? command.slice(1) : command).split(' ').map((a) => a.replaceAll('_', ' '));
    for (let tries = 1; ; tries++) {
      const answer = await kubectl.run(...args);
      if (eventually && tries < 40 && (answer.code !== code || !expected.test(answer.out))) continue;
      assert.match(answer.out, expected, command);
      assert.equal(answer.code, code, `${command}\n${answer.out}`);
      return;
    }
  }

  const parts: readonly (readonly [string, readonly Step[]])[] = [
    ['creates by every generator', generators],
    ['rolls out and back', rollouts],
    ['changes what is there', changes],
    ['shows and explains', looks],
    ['deletes as it is told', ends],
  ];
  for (const [title, steps] of parts) {
    it(title, async () => {
      for (const step of steps) await take(step);
    });
  }
});
