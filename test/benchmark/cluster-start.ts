// Seconds from `up` (programs installed, no data) to API ready, nodes Ready, and an application answering through DNS.
import { deployments, nodes, pods, services } from '#generated/resources.ts';
import { isConditionTrue } from '#machinery/conditions.ts';
import { coracleHome } from '#cluster/paths.ts';
import { run } from '#host/process.ts';
import { buildImage } from '#imagebuild/build.ts';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchCluster, clock, row, until } from './cluster.ts';
import { referenceRuntime } from './original-node.ts';

export async function measureClusterStart(cluster: BenchCluster): Promise<void> {
  await cluster.choosePort();
  const runtime = referenceRuntime();
  const from = clock.monotonic();
  const since = () => `${((clock.monotonic() - from) / 1000).toFixed(2)} s`;
  cluster.coracle(
    'up',
    '--name',
    cluster.name,
    '--data-dir',
    cluster.dir,
    '--port',
    String(cluster.port),
    '--no-examples',
    '--no-wait',
    // The same containerd as the original node has, when there is one.
    ...(runtime === undefined ? [] : ['--runtime-dir', runtime]),
  );
  await until('the keys', async () => existsSync(join(cluster.paths.pki, 'admin.crt')));
  await until('the API server', async () => (await cluster.client.raw('GET', '/readyz')).status === 200);
  row('up, new → API ready', since());
  await until(
    'the nodes',
    async () =>
      (await cluster.client.resource(nodes).list()).items.filter((n) => isConditionTrue(n.status?.conditions, 'Ready'))
        .length === 3,
  );
  row('up, new → three nodes Ready', since());
  cluster.coracle('image', 'load', '--name', cluster.name, ...(await exampleArchives()));
  row('… images loaded (not counted below)', since());
  cluster.coracle('down', '--name', cluster.name);

  const again = clock.monotonic();
  const sinceAgain = () => `${((clock.monotonic() - again) / 1000).toFixed(2)} s`;
  cluster.coracle('up', '--name', cluster.name, '--no-examples', '--no-wait');
  await until('the API server', async () => (await cluster.client.raw('GET', '/readyz')).status === 200);
  row('up, again (warm) → API ready', sinceAgain());
  await until(
    'the nodes',
    async () =>
      (await cluster.client.resource(nodes).list()).items.filter(
        (n) =>
          isConditionTrue(n.status?.conditions, 'Ready') &&
          Date.parse(n.status!.conditions!.find((c) => c.type === 'Ready')!.lastHeartbeatTime!) >
            Date.now() - (clock.monotonic() - again) - 1000,
      ).length === 3,
  );
  row('up, again → three nodes Ready', sinceAgain());
  const labels = { app: 'bench-web' };
  await cluster.client.resource(deployments).create({
    metadata: { name: 'bench-web', namespace: 'default' },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          containers: [
            {
              name: 'web',
              image: 'busybox:1.35',
              command: ['sh', '-c', 'mkdir /w && echo hello >/w/index.html && exec httpd -f -p 80 -h /w'],
            },
          ],
        },
      },
    },
  });
  await cluster.client.resource(services).create({
    metadata: { name: 'bench-web', namespace: 'default' },
    spec: { selector: labels, ports: [{ port: 80 }] },
  });
  await cluster.client.resource(pods).create({
    metadata: { name: 'bench-asker', namespace: 'default' },
    spec: {
      restartPolicy: 'Never',
      containers: [
        {
          name: 'ask',
          image: 'busybox:1.35',
          command: [
            'sh',
            '-c',
            'until timeout 2 wget -q -O- http://bench-web.default.svc.cluster.local; do sleep 0.1; done',
          ],
        },
      ],
    },
  });
  await until(
    'the application',
    async () => (await cluster.client.resource(pods).get('default', 'bench-asker'))?.status?.phase === 'Succeeded',
  );
  row('up, again → application answers through DNS', sinceAgain());
}

/** Built and kept by an earlier `up` with examples, else built now. */
async function exampleArchives(): Promise<string[]> {
  const home = coracleHome(process.env, true);
  const deps = { run, cacheDir: join(home, 'images'), root: join(import.meta.dirname, '..', '..'), say: () => {} };
  mkdirSync(deps.cacheDir, { recursive: true });
  return [await buildImage('pause', deps), await buildImage('busybox', deps)];
}
