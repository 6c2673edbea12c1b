// Port-forwards: not allowed, bound to a pod that is gone, past all policies; and what works inside the pod alone.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client, Scenario } from '../scenario.ts';
import { nginx, podOf, postgres, rolledOut } from '../servers.ts';
import { psql, service, type World } from '../world.ts';

async function web(world: World): Promise<{ readonly server: string; readonly svc: string }> {
  const [server, svc] = [world.word(), world.word()];
  await nginx(world, server, 'listen 80;');
  await world.apply(service(svc, { app: server }, [{ port: 80 }]));
  await rolledOut(world, server);
  return { server, svc };
}

const ask = (port: number): Client => ({
  on: 'laptop',
  command: ['curl', '-sS', '-m', '4', `http://127.0.0.1:${port}/`],
  works: /hello/,
});

/** A kubeconfig of a ServiceAccount that may read and not forward. */
async function reader(world: World, account: string, scope: 'cluster' | 'namespace'): Promise<string> {
  const role = `${account}-${world.namespace}`;
  const kind = scope === 'cluster' ? 'ClusterRole' : 'Role';
  const rules = [
    { apiGroups: ['', 'apps', 'discovery.k8s.io', 'networking.k8s.io'], resources: ['*'], verbs: ['get', 'list'] },
  ];
  await world.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account } });
  const subjects = [{ kind: 'ServiceAccount', namespace: world.namespace, name: account }];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind, name: role };
  const own = scope === 'cluster' ? {} : { namespace: world.namespace };
  await world.cluster.apply(
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind, metadata: { name: role, ...own }, rules },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: `${kind}Binding`,
      metadata: { name: role, ...own },
      roleRef,
      subjects,
    },
  );
  const token = (await world.kubectl(['create', 'token', account])).trim();
  const config = JSON.parse(await world.kubectl(['config', 'view', '--raw', '-o', 'json'])) as {
    users: { name: string; user: object }[];
  };
  const users = config.users.map((u) => ({ ...u, user: { token } }));
  const file = join(world.cluster.folder, `${world.namespace}-${account}.kubeconfig`);
  writeFileSync(file, JSON.stringify({ ...config, users }), { mode: 0o600 });
  return file;
}

const denied = (title: string, target: 'svc' | 'pod', scope: 'cluster' | 'namespace'): Scenario => ({
  code: 'ForwardDenied',
  title,
  async make(world) {
    const { server, svc } = await web(world);
    const port = 20_000 + world.port();
    const account = world.word();
    const file = await reader(world, account, scope);
    const ref = target === 'svc' ? `svc/${svc}` : `pod/${await podOf(world, server)}`;
    const client: Client = {
      on: 'laptop',
      command: [
        'bash',
        '-c',
        `kubectl --kubeconfig ${file} -n ${world.namespace} port-forward ${ref} ${port}:80 & sleep 3; curl -sS -m 4 http://127.0.0.1:${port}/; kill %1; true`,
      ],
      works: /hello/,
    };
    return {
      why: [`http://localhost:${port}/`, '--kubeconfig', file],
      client,
      symptom: /forbidden/i,
      expected: { code: 'ForwardDenied', kind: 'Role', field: 'rules' },
      restore: async () => {
        if (scope === 'cluster') {
          const name = `${account}-${world.namespace}`;
          await world.tryKubectl(['delete', 'clusterrole,clusterrolebinding', name]);
        }
      },
    };
  },
});

const gone = (title: string, target: 'pod' | 'svc' | 'deployment', end: 'delete' | 'scale'): Scenario => ({
  code: 'ForwardPodGone',
  title,
  async make(world) {
    const { server, svc } = await web(world);
    const pod = await podOf(world, server);
    const ref = target === 'pod' ? `pod/${pod}` : target === 'svc' ? `svc/${svc}` : `deployment/${server}`;
    const forward = await world.cluster.portForward(world.namespace, ref, 80);
    if (end === 'delete') await world.kubectl(['delete', 'pod', pod, '--now']);
    else await world.kubectl(['rollout', 'restart', `deployment/${server}`]);
    await rolledOut(world, server);
    return {
      why: [`http://localhost:${forward.port}/`],
      client: ask(forward.port),
      expected: { code: 'ForwardPodGone' },
      // kubectl ends with the first connection that it cannot bring there, and with it what is known of its target.
      incurable: 'what it was bound to ended with it',
      restore: async () => forward.stop(),
    };
  },
});

const bypass = (title: string, policy: object, postgresql = false): Scenario => ({
  code: 'ForwardBypassesPolicy',
  title,
  async make(world) {
    const server = world.word();
    const port = postgresql ? 5432 : 80;
    if (postgresql) await postgres(world, server);
    else await nginx(world, server, 'listen 80;');
    await world.apply({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'closed' },
      spec: { podSelector: {}, policyTypes: ['Ingress'], ...policy },
    });
    await rolledOut(world, server);
    const pod = await podOf(world, server);
    const forward = await world.cluster.portForward(world.namespace, `pod/${pod}`, port);
    return {
      why: [postgresql ? `postgres://shop:shop@localhost:${forward.port}/shop` : `http://localhost:${forward.port}/`],
      client: postgresql ? { on: 'laptop', command: psql('127.0.0.1', forward.port) } : ask(forward.port),
      warning: { code: 'ForwardBypassesPolicy', kind: 'Pod', name: pod },
      restore: async () => forward.stop(),
    };
  },
});

const execOnly = (title: string, hba: readonly string[] | undefined, user: string, cause: string): Scenario => ({
  code: 'WorksByExecOnly',
  title,
  async make(world) {
    const [server, svc] = [world.word(), world.word()];
    const init =
      user === 'shop' ? {} : { init: `psql -U shop -d shop -c "CREATE ROLE ${user} LOGIN PASSWORD 'kept'"\n` };
    await postgres(world, server, { ...(hba === undefined ? {} : { hba }), ...init });
    await world.apply(service(svc, { app: server }, [{ port: 5432 }]));
    const client = await world.clientPod();
    await rolledOut(world, server);
    const pod = await podOf(world, server);
    const env = { PGUSER: user, PGDATABASE: 'shop', PGPASSWORD: 'guessed' };
    return {
      why: [`postgres://${user}:guessed@${svc}:5432/shop`, '--from', `pod/${client}`],
      client: { on: client, command: psql(svc, 5432, env) },
      symptom: cause === 'PgHbaRejected' ? /pg_hba/ : /password authentication failed/,
      expected: { code: cause },
      warning: { code: 'WorksByExecOnly', kind: 'Pod', name: pod },
      incurable: 'the cure of the cause is another scenario’s',
    };
  },
});

export const FORWARD_SCENARIOS: readonly Scenario[] = [
  denied('a reader of the whole cluster, by Service', 'svc', 'cluster'),
  denied('a reader of the namespace, by Service', 'svc', 'namespace'),
  denied('a reader of the namespace, by pod', 'pod', 'namespace'),
  gone('to a pod that was deleted and replaced', 'pod', 'delete'),
  gone('to a Service whose pod was replaced', 'svc', 'delete'),
  gone('to a Deployment that was rolled', 'deployment', 'scale'),
  bypass('nginx behind a policy that lets nobody in', {}),
  bypass('PostgreSQL behind a policy that lets nobody in', {}, true),
  bypass('nginx behind a policy for pods of one label', {
    ingress: [{ from: [{ podSelector: { matchLabels: { role: 'api' } } }], ports: [{ port: 80 }] }],
  }),
  execOnly('a wrong password, trusted on localhost', undefined, 'shop', 'AuthenticationFailed'),
  execOnly('another role, trusted on localhost', undefined, 'app', 'AuthenticationFailed'),
  execOnly(
    'no line for pods, trusted on localhost',
    ['local all all trust', 'host all all 127.0.0.1/32 trust', 'host all all 192.0.2.0/24 scram-sha-256'],
    'shop',
    'PgHbaRejected',
  ),
];
