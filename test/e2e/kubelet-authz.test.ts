// The kubelet's own HTTPS API, asked with curl from a pod and from the laptop: each verb and path wants its own right at the API server.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { call, CLIENT_IMAGE, TestCluster } from './cluster.ts';

const NAMESPACE = 'default';
const KUBELET_PORT = 10_250;
/** Upstream's read-only port, which must not be there. */
const READ_ONLY_PORT = 10_255;
const TOKEN_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/token';
const isRoot = process.getuid?.() === 0;

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Service accounts of the test, and what each may. */
const RIGHTS: Readonly<Record<string, { readonly verbs: readonly string[]; readonly resources: readonly string[] }>> = {
  scraper: { verbs: ['get'], resources: ['nodes/metrics'] },
  reader: { verbs: ['get'], resources: ['nodes/proxy'] },
  narrow: { verbs: ['get'], resources: ['nodes/pods', 'nodes/healthz', 'nodes/configz', 'nodes/stats'] },
  runner: { verbs: ['create'], resources: ['nodes/proxy'] },
};
const PAGE = ['-sk', '--max-time', '5', '-w', '\n%{http_code}'];
const WEBSOCKET = [
  '--http1.1',
  ...[
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==',
  ].flatMap((h) => ['-H', h]),
  '-H',
  'Sec-WebSocket-Protocol: v5.channel.k8s.io',
];

describe('the kubelet’s own API', { timeout: 200_000, skip: isRoot ? false : 'needs root' }, () => {
  let cluster: TestCluster;
  let node = '';
  let machineIP = '';
  const tokens = new Map<string, string>();

  before(async () => {
    ({ cluster } = await TestCluster.up(['--nodes', '1']));
    const [name, address] = [...(await cluster.nodeAddresses())][0]!;
    [node, machineIP] = [name, address];
    await cluster.apply(
      ...Object.entries(RIGHTS).flatMap(([account, { verbs, resources }]) => [
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account, namespace: NAMESPACE } },
        {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRole',
          metadata: { name: `authz-${account}` },
          rules: [{ apiGroups: [''], resources, verbs }],
        },
        {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRoleBinding',
          metadata: { name: `authz-${account}` },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: `authz-${account}` },
          subjects: [{ kind: 'ServiceAccount', name: account, namespace: NAMESPACE }],
        },
      ]),
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'scraper', namespace: NAMESPACE },
        spec: {
          serviceAccountName: 'scraper',
          terminationGracePeriodSeconds: 1,
          containers: [{ name: 'c', image: CLIENT_IMAGE, command: ['sh', '-c', 'echo began; exec sleep 1000'] }],
        },
      },
    );
    for (const account of Object.keys(RIGHTS))
      tokens.set(account, (await cluster.kubectl(['-n', NAMESPACE, 'create', 'token', account])).trim());
    await cluster.ready(NAMESPACE, 'scraper');
  });
  after(() => cluster?.down());

  const url = (path: string, port = KUBELET_PORT) => `https://${machineIP}:${port}${path}`;
  const answer = (stdout: string): Answer => {
    const at = stdout.lastIndexOf('\n');
    return { status: Number(stdout.slice(at + 1)), body: stdout.slice(0, at) };
  };
  /** From the laptop; nobody's without an account. */
  const fromLaptop = async (account: string | undefined, path: string, ...more: readonly string[]): Promise<Answer> => {
    const who = account === undefined ? [] : ['-H', `Authorization: Bearer ${tokens.get(account)}`];
    return answer((await call('curl', [...PAGE, ...who, ...more, url(path)])).stdout);
  };
  const fromPod = async (path: string, ...more: readonly string[]): Promise<Answer> => {
    const line = `exec curl "$@" -H "Authorization: Bearer $(cat ${TOKEN_FILE})"`;
    const output = await cluster.exec(NAMESPACE, 'scraper', ['sh', '-c', line, 'sh', ...PAGE, ...more, url(path)]);
    return answer(output.stdout);
  };
  const forbidden = (account: string, verb: string, parts: string): Answer => ({
    status: 403,
    body: `Forbidden (user=system:serviceaccount:${NAMESPACE}:${account}, verb=${verb}, resource=nodes, subresource(s)=[${parts}])\n`,
  });
  const pod = `${NAMESPACE}/scraper/c`;

  for (const [from, ask] of [
    ['a pod', (path: string, ...more: string[]) => fromPod(path, ...more)],
    ['the laptop', (path: string, ...more: string[]) => fromLaptop('scraper', path, ...more)],
  ] as const) {
    it(`gives metrics, and neither exec nor run nor logs, to who may only get nodes/metrics, asked from ${from}`, async () => {
      const metrics = await ask('/metrics');
      assert.equal(metrics.status, 200);
      assert.match(metrics.body, /^# TYPE /m);
      assert.equal((await ask('/metrics/resource')).status, 200);
      assert.deepEqual(await ask(`/run/${pod}?cmd=id`, '-X', 'POST'), forbidden('scraper', 'create', 'proxy'));
      assert.deepEqual(
        await ask(`/exec/${pod}?command=id&output=1`, '-X', 'POST'),
        forbidden('scraper', 'create', 'proxy'),
      );
      assert.deepEqual(
        await ask(`/exec/${pod}?command=id&output=1`, ...WEBSOCKET),
        forbidden('scraper', 'get', 'proxy'),
      );
      assert.deepEqual(await ask(`/attach/${pod}?output=1`, '-X', 'POST'), forbidden('scraper', 'create', 'proxy'));
      assert.deepEqual(
        await ask(`/portForward/${NAMESPACE}/scraper`, '-X', 'POST'),
        forbidden('scraper', 'create', 'proxy'),
      );
      assert.deepEqual(await ask(`/containerLogs/${pod}`), forbidden('scraper', 'get', 'proxy'));
      assert.deepEqual(await ask('/logs/'), forbidden('scraper', 'get', 'log'));
      assert.deepEqual(await ask('/stats/summary'), forbidden('scraper', 'get', 'stats'));
      assert.deepEqual(await ask('/pods'), forbidden('scraper', 'get', 'pods proxy'));
      assert.deepEqual(await ask('/runningpods/'), forbidden('scraper', 'get', 'pods proxy'));
      assert.deepEqual(await ask('/healthz'), forbidden('scraper', 'get', 'healthz proxy'));
      assert.deepEqual(await ask('/configz'), forbidden('scraper', 'get', 'configz proxy'));
      assert.deepEqual(await ask('/metrics', '-X', 'POST'), forbidden('scraper', 'create', 'metrics'));
    });
  }

  it('opens paths by their narrow right alone', async () => {
    const pods = await fromLaptop('narrow', '/pods');
    assert.deepEqual([pods.status, (JSON.parse(pods.body) as { kind: string }).kind], [200, 'PodList']);
    assert.deepEqual(await fromLaptop('narrow', '/healthz'), { status: 200, body: 'ok' });
    assert.equal((await fromLaptop('narrow', '/stats/summary')).status, 200);
    const config = JSON.parse((await fromLaptop('narrow', '/configz')).body) as {
      kubeletconfig: { authentication: { anonymous: { enabled: boolean } } };
    };
    assert.equal(config.kubeletconfig.authentication.anonymous.enabled, false);
    assert.deepEqual(await fromLaptop('narrow', `/containerLogs/${pod}`), forbidden('narrow', 'get', 'proxy'));
  });

  it('falls back to nodes/proxy, whose verb is that of the method: a WebSocket needs only get', async () => {
    for (const path of ['/pods', '/healthz', '/configz']) assert.equal((await fromLaptop('reader', path)).status, 200);
    assert.deepEqual(await fromLaptop('reader', `/containerLogs/${pod}`), { status: 200, body: 'began\n' });
    assert.deepEqual(await fromLaptop('reader', '/metrics'), forbidden('reader', 'get', 'metrics'));
    assert.deepEqual(
      await fromLaptop('reader', `/run/${pod}?cmd=id`, '-X', 'POST'),
      forbidden('reader', 'create', 'proxy'),
    );
    const opened = await call('curl', [
      ...PAGE,
      ...WEBSOCKET,
      // curl waits for more after the upgrade.
      ...['--max-time', '2', '-i', '-H', `Authorization: Bearer ${tokens.get('reader')}`],
      url(`/exec/${pod}?command=id&output=1`),
    ]);
    assert.match(opened.stdout, /^HTTP\/1\.1 101 [^]*uid=0/);
    const ran = await fromLaptop('runner', `/run/${pod}?cmd=id`, '-X', 'POST');
    assert.equal(ran.status, 200);
    assert.match(ran.body, /^uid=0/);
  });

  it('answers 401 to who has no name here, and to a token that is none', async () => {
    for (const path of ['/metrics', '/pods', '/healthz', `/containerLogs/${pod}`, '/nothing'])
      assert.deepEqual(await fromLaptop(undefined, path), { status: 401, body: 'Unauthorized' });
    tokens.set('forged', `${tokens.get('scraper')!.slice(0, -4)}AAAA`);
    assert.deepEqual(await fromLaptop('forged', '/metrics'), { status: 401, body: 'Unauthorized' });
  });

  it('takes client certificates of the cluster’s authority', async () => {
    const pki = join(cluster.dataDir, 'pki');
    const certificate = (name: string) => ['--cert', join(pki, `${name}.crt`), '--key', join(pki, `${name}.key`)];
    const pods = await fromLaptop(undefined, '/pods', ...certificate('apiserver-kubelet-client'));
    assert.equal(pods.status, 200);
    // Known, and without the right.
    assert.deepEqual(await fromLaptop(undefined, '/pods', ...certificate('scheduler')), {
      status: 403,
      body: 'Forbidden (user=system:kube-scheduler, verb=get, resource=nodes, subresource(s)=[pods proxy])\n',
    });
    const made = join(cluster.folder, 'own');
    const subject = ['-subj', '/O=system:masters/CN=me', '-keyout', `${made}.key`, '-out', `${made}.crt`];
    await call('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', ...subject]);
    assert.equal((await fromLaptop(undefined, '/pods', '--cert', `${made}.crt`, '--key', `${made}.key`)).status, 401);
  });

  it('has no read-only port', async () => {
    const open = await call('curl', [...PAGE, `http://${machineIP}:${READ_ONLY_PORT}/pods`]);
    assert.equal(open.code, 7, `refused, not answered: ${open.stdout}`);
    assert.equal((await cluster.nodeShell(node, `ss -Hltn sport = :${READ_ONLY_PORT}`)).stdout.trim(), '');
  });
});
