import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { KubectlProgram, skipWithoutHelm, skipWithoutKubectl } from './kubectl-program.ts';
import { startLoopbackServer, type LoopbackServer } from './loopback.ts';

const deployment = (spec: string, image = 'api:1', labels = '{app: api}') => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, labels: ${labels}}
spec:
  ${spec}
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: api, image: "${image}"}]}
`;
const configMap = (name: string, data: string) => `
apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}}
data: ${data}
`;

type Step = readonly [string, number, RegExp];

describe('kubectl apply --server-side', { skip: skipWithoutKubectl }, () => {
  let server: LoopbackServer;
  let kubectl: KubectlProgram;
  before(async () => {
    server = await startLoopbackServer();
    kubectl = new KubectlProgram(server.kubeconfig);
    kubectl.write('three.yaml', deployment('replicas: 3'));
    kubectl.write('five.yaml', deployment('replicas: 5', 'api:2'));
    kubectl.write('none.yaml', deployment('paused: true', 'api:2'));
    kubectl.write('unknown.yaml', deployment('foo: 3'));
    kubectl.write('twice.yaml', deployment('replicas: 3\n  replicas: 4'));
    kubectl.write('map1.yaml', configMap('m', '{a: "1", b: "1"}'));
    kubectl.write('map2.yaml', configMap('m', '{a: "2"}'));
    kubectl.write('map3.yaml', configMap('m', '{a: "3", c: "3"}'));
    kubectl.write('generated.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: x-}\n');
  });
  after(async () => {
    await server.stop();
    kubectl.remove();
  });

  const run = async (steps: readonly Step[]) => {
    for (const [line, code, expected] of steps) {
      const answer = await kubectl.run(...line.split(' '));
      assert.match(answer.out, expected, line);
      assert.equal(answer.code, code, `${line}\n${answer.out}`);
    }
  };

  it('creates, changes nothing, changes, conflicts, forces and gives up', () =>
    run([
      ['apply --server-side -f three.yaml', 0, /^deployment.apps\/api serverside-applied\n$/],
      ['apply --server-side -f three.yaml', 0, /^deployment.apps\/api serverside-applied\n$/],
      ['get deploy api -o jsonpath={.metadata.resourceVersion}:{.metadata.generation}', 0, /^\d+:1$/],
      ['diff --server-side -f three.yaml', 0, /^$/],
      [
        'diff --server-side -f five.yaml',
        1,
        /-\s+replicas: 3\n\+\s+replicas: 5[\s\S]*-\s+- image: api:1\n\+\s+- image: api:2/,
      ],
      ['apply --server-side --dry-run=server -f five.yaml', 0, /api serverside-applied \(server dry run\)/],
      ['get deploy api -o jsonpath={.spec.replicas}', 0, /^3$/],
      [
        'apply --server-side --field-manager other -f five.yaml',
        1,
        /^error: Apply failed with 2 conflicts: conflicts with "kubectl":\n- \.spec\.replicas\n- \.spec\.template\.spec\.containers\[name="api"\]\.image\nPlease review the fields above--they currently have other managers\./,
      ],
      ['scale deploy api --replicas 4', 0, /scaled/],
      [
        'apply --server-side -f three.yaml',
        1,
        /^error: Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps\/v1: \.spec\.replicas\n/,
      ],
      ['apply --server-side --force-conflicts -f three.yaml', 0, /serverside-applied/],
      ['get deploy api -o jsonpath={.spec.replicas}', 0, /^3$/],
      ['apply --server-side --force-conflicts --field-manager other -f five.yaml', 0, /serverside-applied/],
      ['apply --server-side --field-manager other -f none.yaml', 0, /serverside-applied/],
      ['get deploy api -o jsonpath={.spec.replicas}:{.spec.paused}', 0, /^1:true$/],
      [
        'apply --server-side -f unknown.yaml',
        1,
        /failed to create typed patch object \(default\/api; apps\/v1, Kind=Deployment\): \.spec\.foo: field not declared in schema/,
      ],
      ['get deploy api --show-managed-fields -o jsonpath={.metadata.managedFields[*].manager}', 0, /^kubectl other$/],
      ['delete deploy api', 0, /deleted/],
    ]));

  it('takes over what client-side apply owned, and keeps its annotation', () =>
    run([
      ['apply --server-side=false -f map1.yaml', 0, /configmap\/m created/],
      ['apply --server-side -f map2.yaml', 0, /^configmap\/m serverside-applied\n$/],
      ['get cm m -o jsonpath={.data}', 0, /^{"a":"2"}$/],
      [
        'get cm m --show-managed-fields -o jsonpath={.metadata.managedFields[*].manager}:{.metadata.managedFields[*].operation}',
        0,
        /^kubectl-last-applied kubectl:Apply Apply$/,
      ],
      ['get cm m -o jsonpath={.metadata.annotations}', 0, /"data\\":{\\"a\\":\\"2\\"}/],
      ['apply --server-side=false -f map3.yaml', 0, /configmap\/m configured/],
      ['get cm m -o jsonpath={.data}', 0, /^{"a":"3","c":"3"}$/],
      ['delete cm m', 0, /deleted/],
    ]));

  it('applies only named things', () =>
    run([['apply --server-side -f generated.yaml', 1, /from x-: cannot use generate name with apply/]]));
});

describe('helm', { skip: skipWithoutHelm }, () => {
  let server: LoopbackServer;
  let kubectl: KubectlProgram;
  before(async () => {
    server = await startLoopbackServer();
    kubectl = new KubectlProgram(server.kubeconfig);
    kubectl.write('chart/Chart.yaml', 'apiVersion: v2\nname: web\nversion: 1.0.0\n');
    kubectl.write('chart/values.yaml', 'replicas: 1\nimage: "api:1"\nextra: ""\n');
    kubectl.write(
      'chart/templates/all.yaml',
      `${deployment('replicas: {{ .Values.replicas }}', '{{ .Values.image }}')}---${configMap('{{ .Release.Name }}', '{image: "{{ .Values.image }}" {{ .Values.extra }}}')}`,
    );
  });
  after(async () => {
    await server.stop();
    kubectl.remove();
  });

  it('installs, upgrades and rolls back by server-side apply', async () => {
    const steps: readonly [string[], number, RegExp][] = [
      [['install', 'web', './chart'], 0, /STATUS: deployed\nREVISION: 1/],
      [['upgrade', 'web', './chart', '--set', 'replicas=2,image=api:2,extra=\\,more: x'], 0, /REVISION: 2/],
      [['rollback', 'web', '1'], 0, /Rollback was a success/],
      [['upgrade', '--install', 'web', './chart'], 0, /REVISION: 4/],
      [['history', 'web'], 0, /4\s+[\s\S]*deployed/],
      [['uninstall', 'web'], 0, /release "web" uninstalled/],
    ];
    const seen: string[] = [];
    for (const [args, code, expected] of steps) {
      const answer = await kubectl.helm(...args);
      assert.match(answer.out, expected, args.join(' '));
      assert.equal(answer.code, code, answer.out);
      const state = await kubectl.run(
        'get',
        'deploy,cm',
        '-o',
        'jsonpath={range .items[*]}{.spec.replicas}{.data}{end}',
        '--field-selector=metadata.name!=kube-root-ca.crt',
      );
      seen.push(state.out);
    }
    assert.deepEqual(seen, [
      '1{"image":"api:1"}',
      '2{"image":"api:2","more":"x"}',
      '1{"image":"api:1"}',
      '1{"image":"api:1"}',
      '1{"image":"api:1"}',
      '',
    ]);
  });
});
