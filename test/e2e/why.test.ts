// coracle why on a real cluster: set-ups that are really broken, each in a namespace of its own, and healthy ones. First the ordinary client,
// then the question, and where a cure can be pasted, the ordinary client again.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Report } from '#why/report.ts';
import { call, CLIENT_IMAGE, makeClientPod, type Output, TestCluster, until } from './cluster.ts';

const WEB = 'nginx:1.22';
const DATABASE = 'postgres:15';
const namespace = (name: string) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });

interface Wanted {
  readonly labels?: Readonly<Record<string, string>>;
  readonly container?: object;
  readonly spec?: object;
}

const web = (ns: string, wanted: Wanted = {}, name = 'web') => {
  const labels = wanted.labels ?? { app: name };
  const container = { name, image: WEB, ports: [{ containerPort: 80 }], ...wanted.container };
  const template = {
    metadata: { labels },
    spec: { terminationGracePeriodSeconds: 1, containers: [container], ...wanted.spec },
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: ns },
    spec: { selector: { matchLabels: labels }, template },
  };
};

const database = (ns: string, args?: readonly string[]) => {
  const env = [{ name: 'POSTGRES_PASSWORD', value: 'secret' }];
  const container = { image: DATABASE, ports: [{ containerPort: 5432 }], env, ...(args === undefined ? {} : { args }) };
  return web(ns, { container }, 'postgres');
};

const service = (ns: string, name: string, port: number, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: ns },
  spec: { selector: { app: name }, ports: [{ port }], ...spec },
});

const policy = (ns: string, spec: object) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'deny', namespace: ns },
  spec: { podSelector: {}, ...spec },
});

interface Case {
  readonly ns: string;
  readonly objects: readonly object[];
  readonly target: string;
  /** Code and field of the cause; undefined: ok. */
  readonly code?: string;
  readonly field?: string;
  /** The first command or manifest mends it. */
  readonly cured?: true;
}

const CASES: readonly Case[] = [
  {
    ns: 'why-healthy',
    objects: [web('why-healthy'), service('why-healthy', 'web', 80)],
    target: 'http://web.why-healthy/',
  },
  {
    ns: 'why-allowed',
    objects: [
      web('why-allowed'),
      service('why-allowed', 'web', 80),
      policy('why-allowed', {
        ingress: [
          {
            from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'why-client' } } }],
            ports: [{ port: 80 }],
          },
        ],
      }),
    ],
    target: 'http://web.why-allowed/',
  },
  {
    ns: 'why-headless',
    objects: [web('why-headless'), service('why-headless', 'web', 80, { clusterIP: 'None' })],
    target: 'http://web.why-headless/',
  },
  {
    ns: 'why-selector',
    objects: [web('why-selector'), service('why-selector', 'web', 80, { selector: { app: 'wep' } })],
    target: 'http://web.why-selector/',
    code: 'SelectorMatchesNothing',
    field: 'spec.selector',
    cured: true,
  },
  {
    ns: 'why-target',
    objects: [web('why-target'), service('why-target', 'web', 80, { ports: [{ port: 80, targetPort: 8080 }] })],
    target: 'http://web.why-target/',
    code: 'TargetPortMismatch',
    field: 'spec.ports[0].targetPort',
    cured: true,
  },
  {
    ns: 'why-ingress',
    objects: [
      web('why-ingress'),
      service('why-ingress', 'web', 80),
      policy('why-ingress', { policyTypes: ['Ingress'] }),
    ],
    target: 'http://web.why-ingress/',
    code: 'IngressDenied',
    field: 'spec.ingress',
    cured: true,
  },
  {
    ns: 'why-unready',
    objects: [
      web('why-unready', { container: { readinessProbe: { httpGet: { path: '/no', port: 80 }, periodSeconds: 1 } } }),
      service('why-unready', 'web', 80),
    ],
    target: 'http://web.why-unready/',
    code: 'NoReadyEndpoints',
    field: 'spec.template.spec.containers[0].readinessProbe',
    cured: true,
  },
  {
    ns: 'why-pending',
    objects: [web('why-pending', { spec: { nodeSelector: { disk: 'ssd' } } }), service('why-pending', 'web', 80)],
    target: 'http://web.why-pending/',
    code: 'PodPending',
    field: 'spec.template.spec.nodeSelector',
    cured: true,
  },
  {
    ns: 'why-silent',
    objects: [web('why-silent', { container: { image: CLIENT_IMAGE } }), service('why-silent', 'web', 80)],
    target: 'http://web.why-silent/',
    code: 'NothingListening',
    field: 'spec.template.spec.containers',
  },
  {
    ns: 'why-loopback',
    objects: [
      database('why-loopback', ['postgres', '-c', 'listen_addresses=localhost']),
      service('why-loopback', 'postgres', 5432),
    ],
    target: 'postgres://postgres@postgres.why-loopback:5432/postgres',
    code: 'ListenerOnLoopback',
    field: 'spec.template.spec.containers[0].args',
    cured: true,
  },
];

describe('coracle why', () => {
  let cluster: TestCluster;
  before(async () => {
    ({ cluster } = await TestCluster.up(['--nodes', '2']));
    await cluster.apply(...['why-client', ...CASES.map((c) => c.ns)].map(namespace));
    await cluster.apply(makeClientPod({ name: 'client', namespace: 'why-client' }), ...CASES.flatMap((c) => c.objects));
    await cluster.ready('why-client', 'client');
  });
  after(() => cluster?.down());

  const why = async (
    target: string,
    from = 'why-client/pod/client',
    more: readonly string[] = [],
  ): Promise<{ report: Report; output: Output }> => {
    const output = await cluster.coracle(['why', target, '--from', from, '-o', 'json', ...more]);
    assert.notEqual(output.stdout, '', output.stderr);
    return { report: JSON.parse(output.stdout) as Report, output };
  };

  /** Does the port open for the ordinary client? */
  const reaches = async (target: string): Promise<boolean> => {
    const url = new URL(target.replace(/^\w+:/, 'http:'));
    const port = url.port === '' ? '80' : url.port;
    return (await cluster.exec('why-client', 'client', ['nc', '-z', '-w', '2', url.hostname, port])).code === 0;
  };

  const paste = async (report: Report): Promise<void> => {
    const cure = report.cause!.cure.find((c) => c.kind !== 'note')!;
    const kubectl = `kubectl() { command "${process.env['KUBECTL'] ?? 'kubectl'}" --kubeconfig "${cluster.kubeconfig}" "$@"; }`;
    const line = cure.kind === 'command' ? cure.text : 'kubectl apply -f -';
    const done = await call('bash', ['-c', `${kubectl}; ${line}`], {
      input: cure.kind === 'manifest' ? cure.text : '',
    });
    assert.equal(done.code, 0, `${line}: ${done.stderr}`);
  };

  for (const { ns, target, code, field, cured } of CASES) {
    it(
      code === undefined ? `says ok in ${ns}` : `names ${code}${cured === true ? ', and its cure mends it' : ''}`,
      async () => {
        // Set-ups become what they are in a few seconds: the answer is waited for, and then it is the last one that counts.
        const { report, output } = await until(`${ns} settled`, 40_000, async () => {
          const answer = await why(target);
          return answer.report.cause?.code === code && answer;
        }).catch(() => why(target));
        assert.equal(report.cause?.code, code, output.stdout);
        assert.equal(report.verdict, code === undefined ? 'ok' : 'broken');
        assert.equal(output.code, code === undefined ? 0 : 1);
        assert.equal(report.cause?.object?.field, field);
        assert.equal(await reaches(target), code === undefined);
        if (cured !== true) return;
        await paste(report);
        await until(`${ns} mended`, 40_000, () => reaches(target));
        await until(`${ns} called ok`, 20_000, async () => (await why(target)).report.verdict === 'ok');
      },
    );
  }

  it('knows from where a Service cannot be reached', async () => {
    const { report } = await why('why-healthy/svc/web', 'laptop');
    assert.equal(report.cause?.code, 'ClusterIPFromOutside');
    assert.match(report.cause!.cure[0]!.text, /^kubectl -n why-healthy port-forward svc\/web 80:80$/);
  });

  it('finds the near name, and the namespace that was left out', async () => {
    assert.equal((await why('http://wep.why-healthy/')).report.cause?.code, 'NameNotFound');
    const { report } = await why('http://postgres/');
    assert.equal(report.cause?.code, 'NameInOtherNamespace');
    assert.equal(report.cause?.object?.name, 'postgres');
  });

  it('sees as much through the API alone as the API shows', async () => {
    const { report } = await why('http://web.why-healthy/', 'why-client/pod/client', ['--hide-nodes']);
    assert.equal(report.verdict, 'ok');
    assert.equal(report.links.find((l) => l.name === 'listener')?.state, 'ok');
  });

  it('is never ok without a probe', async () => {
    const { report, output } = await why('http://web.why-healthy/', 'why-client/pod/client', ['--no-probe']);
    assert.equal(report.verdict, 'unknown');
    assert.equal(output.code, 2);
  });

  it('answers again when the answer changes, until Ctrl-C', async () => {
    await cluster.kubectl(['-n', 'why-healthy', 'scale', 'deployment/web', '--replicas=0']);
    const watching = cluster.start(['why', 'http://web.why-healthy/', '--from', 'why-client/pod/client', '--watch']);
    await until('it is broken', 30_000, () => Promise.resolve(/: broken$/m.test(watching.said())));
    await cluster.kubectl(['-n', 'why-healthy', 'scale', 'deployment/web', '--replicas=1']);
    await until('it is ok', 40_000, () => Promise.resolve(/: ok$/m.test(watching.said())));
    watching.interrupt();
    assert.equal(await watching.ended, 0, watching.said());
  });

  it('explains a code, and refuses what it does not know', async () => {
    assert.match((await cluster.coracle(['why', '--explain', 'IngressDenied'])).stdout, /^### IngressDenied/);
    assert.equal((await cluster.coracle(['why', 'nonsense', '--from', 'laptop'])).code, 64);
  });
});
