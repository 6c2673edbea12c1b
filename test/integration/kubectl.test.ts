import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
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
metadata: {name: api}
spec:
  replicas: 3
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: api, image: "api:1"}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: hello}, ports: [{port: 80, nodePort: 30080}]}
`;

describe('kubectl', { skip: skipWithoutKubectl }, () => {
  let server: LoopbackServer;
  let kubectl: KubectlProgram;
  before(async () => {
    server = await startLoopbackServer();
    kubectl = new KubectlProgram(server.kubeconfig, { EDITOR: 'sed -i s/nginx:1/nginx:2/' });
    kubectl.write('all.yaml', MANIFEST);
  });
  after(async () => {
    await server.stop();
    kubectl.remove();
  });

  const steps: [string[], number, RegExp][] = [
    [['version'], 0, /Server Version: v1\.36\./],
    [
      ['apply', '--server-side=false', '-f', 'all.yaml'],
      0,
      /pod\/hello-pod created\ndeployment.apps\/api created\nservice\/web created/,
    ],
    [
      ['apply', '--server-side=false', '-f', 'all.yaml'],
      0,
      /pod\/hello-pod unchanged\ndeployment.apps\/api unchanged\nservice\/web unchanged/,
    ],
    [['get', 'pods,deploy,svc', '-o', 'wide'], 0, /service\/web\s+NodePort\s+10\.\S+\s+<none>\s+80:30080\/TCP/],
    [['describe', 'pod', 'hello-pod'], 0, /Status:\s+Pending/],
    [['explain', 'pod.spec'], 0, /FIELD: spec <PodSpec>/],
    [['scale', 'deploy', 'api', '--replicas', '5'], 0, /scaled/],
    [['get', 'deploy', 'api', '-o', 'jsonpath={.spec.replicas} {.metadata.generation}'], 0, /^5 2$/],
    [['label', 'pod', 'hello-pod', 'x=y'], 0, /labeled/],
    [['annotate', 'pod', 'hello-pod', 'a=b'], 0, /annotated/],
    [['get', 'pods', '-l', 'x=y', '-o', 'name'], 0, /^pod\/hello-pod\n$/],
    [['edit', 'pod', 'hello-pod'], 0, /edited/],
    [
      ['wait', 'pod/hello-pod', '--for=jsonpath={.spec.containers[0].image}=nginx:2', '--timeout=5s'],
      0,
      /condition met/,
    ],
    [['diff', '-f', 'all.yaml'], 1, /-\s+- image: nginx:2|-\s+replicas: 5/],
    [['rollout', 'restart', 'deploy/api'], 0, /restarted/],
    [['create', 'configmap', 'c', '--from-literal=a=b'], 0, /configmap\/c created/],
    [['auth', 'can-i', 'create', 'pods'], 0, /^yes/],
    [['api-resources', '--api-group=apps'], 0, /deployments\s+deploy\s+apps\/v1\s+true\s+Deployment/],
    [['get', 'nothing'], 1, /the server doesn't have a resource type "nothing"/],
    [['get', 'pod', 'nobody'], 1, /Error from server \(NotFound\): pods "nobody" not found/],
    [['delete', '-f', 'all.yaml'], 0, /pod "hello-pod" deleted[\s\S]*service "web" deleted/],
  ];
  it('works as it does with the original', async () => {
    for (const [args, code, expected] of steps) {
      const answer = await kubectl.run(...args);
      assert.match(answer.out, expected, args.join(' '));
      assert.equal(answer.code, code, args.join(' '));
    }
  });
});
