// The original metrics-server (`npm run reference -- metrics-server`) behind the aggregator, in place of the built-in metrics API: kubectl
// top and the autoscaler go on, through it, and through the built-in one when it is gone.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { coracleHome } from '#cluster/paths.ts';
import type { APIService } from '#generated/api/apiregistration-v1.ts';
import type { HorizontalPodAutoscaler } from '#generated/api/autoscaling-v2.ts';
import { run } from '#host/process.ts';
import { buildImage } from '#imagebuild/build.ts';
import { findPrograms, havePrograms } from '../reference/folder.ts';
import { CLIENT_IMAGE, TestCluster, until } from './cluster.ts';

const MANIFEST = join(import.meta.dirname, 'metrics-server', 'metrics-server.yaml');
const skip =
  process.getuid?.() !== 0
    ? 'needs root'
    : havePrograms(['metrics-server'])
      ? false
      : 'metrics-server is not built: npm run reference -- metrics-server';

async function image(folder: string): Promise<string> {
  const staged = join(folder, 'images', 'metrics-server');
  mkdirSync(staged, { recursive: true });
  copyFileSync(findPrograms(['metrics-server'])['metrics-server'], join(staged, 'metrics-server'));
  const definition = {
    reference: 'docker.io/coracle/metrics-server:test',
    files: { 'usr/bin/metrics-server': 'metrics-server' },
    folders: ['tmp'],
    entrypoint: ['/usr/bin/metrics-server'],
  };
  writeFileSync(join(staged, 'image.json'), JSON.stringify(definition));
  const cacheDir = join(coracleHome(process.env, true), 'images');
  return buildImage('metrics-server', { run, cacheDir, root: folder, say: () => {} });
}

const burn = [
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'burn', namespace: 'default' },
    spec: {
      selector: { matchLabels: { app: 'burn' } },
      template: {
        metadata: { labels: { app: 'burn' } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'burn',
              image: CLIENT_IMAGE,
              command: ['sh', '-c', 'while :; do :; done'],
              resources: { requests: { cpu: '40m' }, limits: { cpu: '100m' } },
            },
          ],
        },
      },
    },
  },
  {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'burn', namespace: 'default' },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'burn' },
      maxReplicas: 2,
      metrics: [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
      ],
    },
  },
];

describe('the original metrics-server', { timeout: 400_000, skip }, () => {
  let cluster: TestCluster;
  before(async () => {
    ({ cluster } = await TestCluster.up(['--nodes', '1']));
    const loaded = await cluster.coracle(['image', 'load', await image(cluster.folder)], { timeoutMs: 60_000 });
    assert.equal(loaded.code, 0, loaded.stderr);
  });
  after(async () => {
    await cluster.tryKubectl(['delete', '--now', '--ignore-not-found', '-f', MANIFEST]);
    await cluster.tryKubectl(['delete', '--now', '--ignore-not-found', 'hpa/burn', 'deploy/burn']);
    await cluster.down();
  });
  const kubectl = (...args: readonly string[]) => cluster.kubectl(args, { timeoutMs: 60_000 });

  it('is asked for metrics while its APIService is there, by kubectl and by the autoscaler', async () => {
    await kubectl('apply', '-f', MANIFEST);
    await kubectl('-n', 'kube-system', 'rollout', 'status', 'deploy/metrics-server', '--timeout=120s');
    await kubectl('wait', '--for=condition=Available', 'apiservice/v1beta1.metrics.k8s.io', '--timeout=60s');
    const service = await cluster.get<APIService>('default', 'apiservice', 'v1beta1.metrics.k8s.io');
    assert.equal(service.status!.conditions![0]!.reason, 'Passed');
    await cluster.apply(...burn);
    const nodes = await until('metrics of nodes', 60_000, () => kubectl('top', 'nodes'));
    assert.match(nodes, /^node-1 +\d+m +\d+% +\d+Mi/m);
    const pods = await until('metrics of pods', 60_000, () => kubectl('top', 'pods', '-l', 'app=burn'));
    assert.match(pods, /^burn-\S+ +\d+m +\d+Mi/m);
    await until('more replicas', 120_000, async () => {
      const hpa = await cluster.get<HorizontalPodAutoscaler>('default', 'hpa', 'burn');
      return hpa.status?.desiredReplicas === 2;
    });
  });

  it('is missed while it is down, and replaced by the built-in one when its APIService is gone', async () => {
    await kubectl('-n', 'kube-system', 'scale', 'deploy/metrics-server', '--replicas=0');
    await kubectl('wait', '--for=condition=Available=False', 'apiservice/v1beta1.metrics.k8s.io', '--timeout=60s');
    const refused = await cluster.tryKubectl(['get', '--raw', '/apis/metrics.k8s.io/v1beta1/nodes']);
    assert.match(refused.stderr, /the server is currently unable to handle the request/);
    await kubectl('delete', 'apiservice/v1beta1.metrics.k8s.io');
    const nodes = await until('the built-in metrics', 30_000, () => kubectl('top', 'nodes'));
    assert.match(nodes, /^node-1 +\d+m +\d+% +\d+Mi/m);
  });
});
