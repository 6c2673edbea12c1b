// Data that are not there, or will not be after the next restart.
import { until } from '../../e2e/cluster.ts';
import type { Scenario } from '../scenario.ts';
import { deployment, postgres } from '../servers.ts';
import { pod, psql, service, type World } from '../world.ts';

const claim = (name: string, spec: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
});
const mounted = (claimName: string, mountPath: string) => ({
  spec: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }] },
  container: { volumeMounts: [{ name: 'data', mountPath }] },
});
const DATA = '/var/lib/postgresql/data';
const PGDATA = { PGDATA: `${DATA}/pgdata` };
const url = (svc: string) => `postgres://shop:shop@${svc}:5432/shop`;

/** A StatefulSet of one PostgreSQL. */
function statefulSet(
  name: string,
  options: { readonly env?: object; readonly mountPath?: string; readonly template?: object },
): object {
  const { metadata, spec } = deployment(name, 'docker.io/library/postgres:15', {
    port: 5432,
    env: { POSTGRES_USER: 'shop', POSTGRES_PASSWORD: 'shop', ...options.env },
    container: {
      readinessProbe: { exec: { command: ['pg_isready', '-q', '-h', '127.0.0.1'] }, periodSeconds: 1 },
      ...(options.mountPath === undefined ? {} : { volumeMounts: [{ name: 'data', mountPath: options.mountPath }] }),
    },
  }) as { metadata: object; spec: { replicas: number; selector: object; template: object } };
  const { replicas, selector, template } = spec;
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata,
    spec: {
      replicas,
      selector,
      template,
      serviceName: name,
      ...(options.template === undefined ? {} : { volumeClaimTemplates: [options.template] }),
    },
  };
}

const lossy = (
  code: string,
  title: string,
  make: (world: World, server: string) => Promise<void>,
  expected: { readonly kind: string; readonly field: RegExp },
): Scenario => ({
  code,
  title,
  async make(world) {
    const [server, svc] = [world.word(), world.word()];
    await make(world, server);
    await world.apply(service(svc, { app: server }, [{ port: 5432 }]));
    const client = await world.clientPod();
    await world
      .kubectl(['wait', '--for=condition=Ready', 'pod', '-l', `app=${server}`, '--timeout=90s'], 100_000)
      .catch(() => '');
    return {
      why: [url(svc), '--from', `pod/${client}`],
      client: { on: client, command: psql(svc) },
      warning: { code, name: server, ...expected },
    };
  },
});

const waiting = (
  code: 'ClaimMissing' | 'ClaimPending',
  title: string,
  make: (
    world: World,
    server: string,
    name: string,
  ) => Promise<{ readonly kind: string; readonly name: string; readonly field: RegExp }>,
): Scenario => ({
  code,
  title,
  async make(world) {
    const [server, svc, name] = [world.word(), world.word(), world.word()];
    const expected = await make(world, server, name);
    await world.apply(service(svc, { app: server }, [{ port: 5432 }]));
    const client = await world.clientPod();
    return {
      why: [url(svc), '--from', `pod/${client}`],
      client: { on: client, command: psql(svc) },
      symptom: /refused/i,
      expected: { code, ...expected },
    };
  },
});

const CLAIM_FIELD = /persistentVolumeClaim\.claimName$/;

/** A volume that a pod of one node holds, and a server on another that waits for it. */
const multi = (title: string, kind: 'Pod' | 'Deployment' | 'StatefulSet'): Scenario => ({
  code: 'MultiAttach',
  title,
  async make(world) {
    const [server, svc, name, holder] = [world.word(), world.word(), world.word(), world.word()];
    const [one, two] = (await world.cluster.nodeNames()) as [string, string];
    const { spec, container } = mounted(name, DATA);
    await world.apply(
      claim(name),
      pod(holder, 'docker.io/coracle/client:1', { node: one, labels: { app: holder }, spec, container }),
    );
    await world.ready(holder);
    const image = 'docker.io/library/postgres:15';
    const env = { POSTGRES_USER: 'shop', POSTGRES_PASSWORD: 'shop', ...PGDATA };
    const options = { node: two, labels: { app: server }, port: 5432, env, spec, container };
    const made = deployment(server, image, options) as { spec: { strategy?: object } };
    const { strategy: _strategy, ...set } = made.spec;
    await world.apply(
      kind === 'Pod'
        ? pod(server, image, options)
        : kind === 'Deployment'
          ? made
          : { ...made, kind: 'StatefulSet', spec: { ...set, serviceName: server } },
      service(svc, { app: server }, [{ port: 5432 }]),
    );
    const client = await world.clientPod();
    await until('the server is told', 40_000, async () => {
      const said = await world.kubectl(['get', 'events', '--field-selector=reason=FailedAttachVolume', '-o', 'name']);
      return said.trim() !== '';
    });
    return {
      why: [url(svc), '--from', `pod/${client}`],
      client: { on: client, command: psql(svc) },
      symptom: /refused/i,
      expected: { code: 'MultiAttach', kind: 'PersistentVolumeClaim', name },
    };
  },
});

export const STORAGE_SCENARIOS: readonly Scenario[] = [
  lossy('DataNotPersistent', 'a Deployment without volumes', (world, server) => postgres(world, server), {
    kind: 'Deployment',
    field: /volumes$/,
  }),
  lossy(
    'DataNotPersistent',
    'an emptyDir at the data directory',
    (world, server) =>
      postgres(world, server, {
        env: PGDATA,
        spec: { volumes: [{ name: 'data', emptyDir: {} }] },
        container: { volumeMounts: [{ name: 'data', mountPath: DATA }] },
      }),
    { kind: 'Deployment', field: /emptyDir/ },
  ),
  lossy(
    'DataNotPersistent',
    'a StatefulSet without volumeClaimTemplates',
    (world, server) => world.apply(statefulSet(server, {})),
    {
      kind: 'StatefulSet',
      field: /volumes$/,
    },
  ),
  lossy(
    'DataBesideMount',
    'a claim at /data, PGDATA as the image has it',
    async (world, server) => {
      const name = world.word();
      await world.apply(claim(name));
      await postgres(world, server, mounted(name, '/data'));
    },
    { kind: 'Deployment', field: /mountPath$/ },
  ),
  lossy(
    'DataBesideMount',
    'a claim at the data directory, PGDATA moved away',
    async (world, server) => {
      const name = world.word();
      await world.apply(claim(name));
      await postgres(world, server, { env: { PGDATA: '/var/lib/pg/data' }, ...mounted(name, DATA) });
    },
    { kind: 'Deployment', field: /mountPath$|PGDATA|env/ },
  ),
  lossy(
    'DataBesideMount',
    'a StatefulSet’s claim at /postgres',
    async (world, server) => world.apply(statefulSet(server, { mountPath: '/postgres', template: claim('data') })),
    { kind: 'StatefulSet', field: /mountPath$/ },
  ),
  lossy(
    'DataBesideMount',
    'a claim above the image’s own volume, which hides it',
    async (world, server) => {
      const name = world.word();
      await world.apply(claim(name));
      await postgres(world, server, mounted(name, '/var/lib/postgresql'));
    },
    { kind: 'Deployment', field: /mountPath$/ },
  ),
  waiting('ClaimMissing', 'a Deployment', async (world, server, name) => {
    await postgres(world, server, { env: PGDATA, ...mounted(name, DATA) });
    return { kind: 'Deployment', name: server, field: CLAIM_FIELD };
  }),
  waiting('ClaimMissing', 'a bare pod', async (world, server, name) => {
    await world.postgres(server, { labels: { app: server }, env: PGDATA, ...mounted(name, DATA) });
    return { kind: 'Pod', name: server, field: CLAIM_FIELD };
  }),
  waiting('ClaimMissing', 'a StatefulSet that names a claim of another name', async (world, server, name) => {
    await world.apply(claim(`${name}-data`));
    const made = statefulSet(server, { env: PGDATA, mountPath: DATA }) as { spec: { template: { spec: object } } };
    const template = {
      ...made.spec.template,
      spec: { ...made.spec.template.spec, volumes: [{ name: 'data', persistentVolumeClaim: { claimName: name } }] },
    };
    await world.apply({ ...made, spec: { ...made.spec, template } });
    return { kind: 'StatefulSet', name: server, field: CLAIM_FIELD };
  }),
  waiting('ClaimPending', 'a Deployment, a storage class that does not exist', async (world, server, name) => {
    await world.apply(claim(name, { storageClassName: 'fast-ssd' }));
    await postgres(world, server, { env: PGDATA, ...mounted(name, DATA) });
    return { kind: 'PersistentVolumeClaim', name, field: /storageClassName/ };
  }),
  waiting('ClaimPending', 'a bare pod, a storage class that does not exist', async (world, server, name) => {
    await world.apply(claim(name, { storageClassName: 'gp3' }));
    await world.postgres(server, { labels: { app: server }, env: PGDATA, ...mounted(name, DATA) });
    return { kind: 'PersistentVolumeClaim', name, field: /storageClassName/ };
  }),
  waiting('ClaimPending', 'a Deployment, a claim of no class and no volume', async (world, server, name) => {
    await world.apply(claim(name, { storageClassName: '' }));
    await postgres(world, server, { env: PGDATA, ...mounted(name, DATA) });
    return { kind: 'PersistentVolumeClaim', name, field: /storageClassName/ };
  }),
  multi('a bare pod, held by another', 'Pod'),
  multi('a Deployment, held by a pod that somebody left', 'Deployment'),
  multi('a StatefulSet, held by a pod that somebody left', 'StatefulSet'),
];
