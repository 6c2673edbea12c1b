// Authentication, authorization and admission together, on the real API server over the memory store.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { SeededRandom } from '#base/random.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import { nodes, pods, secrets, serviceaccounts } from '#generated/resources.ts';
import type { Exchange, UserInfo } from '#machinery/exchange.ts';
import { readBody } from '#machinery/exchange.ts';
import { createAuthority } from '#pki/certificates.ts';
import { generateKey } from '#pki/keys.ts';
import { parsePublicKeys, TokenSigner, TokenVerifier } from '#pki/tokens.ts';
import { admissionPlugins } from '../admission/plugins.ts';
import { createAuthenticator } from '../authentication/authenticator.ts';
import { liveLookup, lookupOf } from '../authentication/lookup.ts';
import { TokenIssuer } from '../authentication/token-request.ts';
import { apiServerUser } from '../authentication/users.ts';
import { testServerParts } from '../fixture.ts';
import type { ApiServer } from '../server.ts';
import { createAuthorizer } from './authorizer.ts';
import { reconcileBootstrapRoles } from './bootstrap/reconcile.ts';
import { nodeGraphOf } from './node-graph.ts';
import { rbacSourceOf } from './rbac-source.ts';

const ISSUER = 'https://kubernetes.default.svc.cluster.local';
const admin: UserInfo = { name: 'admin', groups: ['system:masters'] };
const kubelet = (name: string): UserInfo => ({ name: `system:node:${name}`, groups: ['system:nodes'] });

describe('a server with all its guards', () => {
  let server: ApiServer;
  let stop: () => Promise<void>;
  let created: number;

  before(async () => {
    const clock = new SystemClock();
    const random = new SeededRandom(1);
    const exchange: Exchange = (request) => server.exchange(request);
    const client = createClient({
      transport: createInProcessTransport(exchange, apiServerUser),
      clock,
      userAgent: 'kube-apiserver',
    });
    const informers = createInformers({ client, clock, random, log: silentLog });
    const lookups = {
      serviceAccounts: lookupOf(informers, client, serviceaccounts),
      pods: lookupOf(informers, client, pods),
      nodes: lookupOf(informers, client, nodes),
      secrets: liveLookup(client, secrets),
    };
    const key = generateKey();
    const authentication = createAuthenticator({
      clock,
      clientCa: (await createAuthority('kubernetes', clock.now())).certificate,
      audiences: [ISSUER],
      serviceAccounts: { clock, issuers: [ISSUER], verifier: new TokenVerifier(parsePublicKeys([key])), ...lookups },
      anonymous: true,
    });
    const authorization = createAuthorizer({ rbac: rbacSourceOf(informers), nodeGraph: nodeGraphOf(informers) });
    const parts = testServerParts({
      clock,
      authorizer: authorization.authorizer,
      admission: admissionPlugins({
        clock,
        random,
        informers,
        client,
        authorizer: authorization.authorizer,
        rbac: authorization.rbac,
      }),
      deps: {
        authenticator: authentication.requests,
        rules: authorization.rules,
        tokens: authentication.tokens,
        tokenIssuer: new TokenIssuer({
          clock,
          random,
          signer: new TokenSigner(key),
          issuer: ISSUER,
          audiences: [ISSUER],
          ...lookups,
        }),
        hooks: [
          {
            name: 'rbac/bootstrap-roles',
            run: async () => void (created = (await reconcileBootstrapRoles({ client, log: silentLog })).created),
          },
        ],
      },
    });
    server = parts.server;
    await server.start(new AbortController().signal);
    await server.ready();
    await informers.start(new AbortController().signal);
    stop = async () => {
      await informers.stop();
      await server.stop();
      await parts.store.close();
    };
    await expect(201, 'POST', '/api/v1/namespaces', { metadata: { name: 'db' } });
    await expect(201, 'POST', '/api/v1/namespaces/db/serviceaccounts', { metadata: { name: 'default' } });
    await expect(201, 'POST', '/api/v1/nodes', { metadata: { name: 'n1' } });
  });
  after(() => stop());

  async function call(
    method: string,
    path: string,
    body?: unknown,
    as: UserInfo | string | undefined = admin,
    headers: Record<string, string> = {},
  ) {
    const response = await server.exchange({
      method,
      path,
      headers: {
        'content-type': 'application/json',
        ...(typeof as === 'string' && as !== '' ? { authorization: `Bearer ${as}` } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) }),
      peer: typeof as === 'string' ? {} : { user: as },
      signal: new AbortController().signal,
    });
    // oxlint-disable-next-line typescript/no-explicit-any
    return {
      status: response.status,
      body: JSON.parse(Buffer.from(await readBody(response.body)).toString() || '{}') as any,
    };
  }

  async function expect(status: number, ...args: Parameters<typeof call>) {
    const answer = await call(...args);
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    return answer.body;
  }

  /** What a cache has to learn first: tried until it holds, a bounded number of turns. */
  async function eventually(status: number, ...args: Parameters<typeof call>) {
    for (let tries = 0; tries < 200; tries++) {
      const answer = await call(...args);
      if (answer.status === status) return answer.body;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return expect(status, ...args);
  }

  it('has the bootstrap policy', async () => {
    assert.ok(created > 100);
    const role = await expect(200, 'GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles/system:kube-scheduler');
    assert.equal(role.metadata.annotations['rbac.authorization.kubernetes.io/autoupdate'], 'true');
    assert.equal(role.metadata.labels['kubernetes.io/bootstrapping'], 'rbac-defaults');
  });

  it('tells nobody in particular no more than health and version', async () => {
    await expect(200, 'GET', '/version', undefined, '');
    const refused = await expect(403, 'GET', '/api/v1/namespaces/db/pods', undefined, '');
    assert.equal(
      refused.message,
      'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" in the namespace "db"',
    );
    assert.equal((await call('GET', '/api/v1/pods', undefined, 'wrong')).status, 401);
  });

  it('gives a pod its account and its token, and the token works until the pod is gone', async () => {
    const pod = await expect(201, 'POST', '/api/v1/namespaces/db/pods', {
      metadata: { name: 'web' },
      spec: { containers: [{ name: 'c', image: 'nginx' }], terminationGracePeriodSeconds: 0 },
    });
    assert.equal(pod.spec.serviceAccountName, 'default');
    assert.match(pod.spec.volumes[0].name, /^kube-api-access-/);
    assert.equal(pod.spec.priority, 0);
    assert.equal(pod.spec.tolerations.length, 2);

    const ref = { kind: 'Pod', apiVersion: 'v1', name: 'web', uid: pod.metadata.uid };
    const made = await expect(201, 'POST', '/api/v1/namespaces/db/serviceaccounts/default/token', {
      spec: { audiences: [ISSUER], boundObjectRef: ref },
    });
    const token: string = made.status.token;
    const who = await expect(201, 'POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {}, token);
    assert.equal(who.status.userInfo.username, 'system:serviceaccount:db:default');
    assert.deepEqual(who.status.userInfo.extra['authentication.kubernetes.io/pod-name'], ['web']);
    await expect(403, 'GET', '/api/v1/namespaces/db/pods', undefined, token);

    await expect(201, 'POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/db/roles', {
      metadata: { name: 'reader' },
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }],
    });
    await expect(201, 'POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/db/rolebindings', {
      metadata: { name: 'reader' },
      subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: 'db' }],
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
    });
    await eventually(200, 'GET', '/api/v1/namespaces/db/pods', undefined, token);
    const can = await expect(
      201,
      'POST',
      '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      { spec: { resourceAttributes: { namespace: 'db', verb: 'delete', resource: 'pods' } } },
      token,
    );
    assert.equal(can.status.allowed, false);

    await expect(200, 'DELETE', '/api/v1/namespaces/db/pods/web');
    await eventually(401, 'GET', '/api/v1/namespaces/db/pods', undefined, token);
  });

  it('lets a node read the Secrets of its own pods only', async () => {
    for (const name of ['mine', 'other'])
      await expect(201, 'POST', '/api/v1/namespaces/db/secrets', { metadata: { name }, data: {} });
    await expect(201, 'POST', '/api/v1/namespaces/db/pods', {
      metadata: { name: 'uses' },
      spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'nginx', envFrom: [{ secretRef: { name: 'mine' } }] }] },
    });
    await eventually(200, 'GET', '/api/v1/namespaces/db/secrets/mine', undefined, kubelet('n1'));
    const refused = await expect(403, 'GET', '/api/v1/namespaces/db/secrets/other', undefined, kubelet('n1'));
    assert.match(refused.message, /no relationship found between node 'n1' and this object$/);
    await expect(403, 'GET', '/api/v1/namespaces/db/secrets/mine', undefined, kubelet('n2'));
    const unbound = await expect(
      403,
      'POST',
      '/api/v1/namespaces/db/serviceaccounts/default/token',
      { spec: { audiences: [] } },
      kubelet('n1'),
    );
    assert.match(unbound.message, /node requested token not bound to a pod/);
    await expect(
      403,
      'PATCH',
      '/api/v1/nodes/n1/status',
      { metadata: { labels: { 'node-restriction.kubernetes.io/x': 'y' } } },
      kubelet('n1'),
      { 'content-type': 'application/merge-patch+json' },
    );
  });

  it('lets nobody grant what he does not hold', async () => {
    await expect(201, 'POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', {
      metadata: { name: 'role-maker' },
      rules: [{ apiGroups: ['rbac.authorization.k8s.io'], resources: ['clusterroles'], verbs: ['create'] }],
    });
    await expect(201, 'POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: 'role-maker' },
      subjects: [{ kind: 'User', name: 'bob', apiGroup: 'rbac.authorization.k8s.io' }],
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'role-maker' },
    });
    const bob = { name: 'bob', groups: [] };
    const own = {
      metadata: { name: 'own' },
      rules: [{ apiGroups: ['rbac.authorization.k8s.io'], resources: ['clusterroles'], verbs: ['create'] }],
    };
    await eventually(201, 'POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', own, bob);
    const refused = await expect(
      403,
      'POST',
      '/apis/rbac.authorization.k8s.io/v1/clusterroles',
      { metadata: { name: 'more' }, rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }] },
      bob,
    );
    assert.match(
      refused.message,
      /is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\[""\], Resources:\["secrets"\], Verbs:\["get"\]\}$/,
    );
  });

  it('lets an administrator act as a service account, with its rights and no more', async () => {
    const as = { 'impersonate-user': 'system:serviceaccount:kube-system:replicaset-controller' };
    await expect(200, 'GET', '/apis/apps/v1/replicasets', undefined, admin, as);
    const refused = await expect(403, 'GET', '/api/v1/secrets', undefined, admin, as);
    assert.match(
      refused.message,
      /User "system:serviceaccount:kube-system:replicaset-controller" cannot list resource "secrets"/,
    );
    await expect(403, 'GET', '/api/v1/pods', undefined, { name: 'bob', groups: [] }, as);
  });

  it('makes nothing in a namespace that is not there or is ending', async () => {
    const missing = await expect(404, 'POST', '/api/v1/namespaces/nowhere/configmaps', { metadata: { name: 'x' } });
    assert.equal(missing.message, 'namespaces "nowhere" not found');
    await expect(201, 'POST', '/api/v1/namespaces', { metadata: { name: 'brief' } });
    await expect(200, 'DELETE', '/api/v1/namespaces/brief');
    const ending = await expect(403, 'POST', '/api/v1/namespaces/brief/configmaps', { metadata: { name: 'x' } });
    assert.equal(
      ending.message,
      'configmaps "x" is forbidden: unable to create new content in namespace brief because it is being terminated',
    );
    await expect(403, 'DELETE', '/api/v1/namespaces/kube-system');
  });
});
