// A node nobody hears of: NotReady after its grace, tainted, its pods evicted after what they tolerate and replaced elsewhere; and what
// becomes of it all when it is back.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { deployments, nodes, pods } from '#generated/resources.ts';
import { GRACE_MS } from '#controllers/node-lifecycle/node-lifecycle.ts';
import { forbidden, isReady, isRolledOut, livingPods, makeDeployment } from './objects.ts';
import { simulated } from './traces.ts';

const TOLERATED_SECONDS = 30;
/** Node monitor's period, heartbeats' period, and the pace of evictions. */
const SLACK_MS = 30_000;
const UNREACHABLE = 'node.kubernetes.io/unreachable';

describe('a node that goes silent and comes back', () => {
  simulated({}, async (cluster) => {
    const { client, clock } = cluster;
    const tolerations = ['not-ready', 'unreachable'].map((what) => ({
      key: `node.kubernetes.io/${what}`,
      operator: 'Exists',
      effect: 'NoExecute',
      tolerationSeconds: TOLERATED_SECONDS,
    }));
    await cluster.call(client.resource(deployments).create(makeDeployment('quick', { replicas: 3, tolerations })));
    // Those that say nothing tolerate five minutes.
    await cluster.call(client.resource(deployments).create(makeDeployment('patient', { replicas: 3 })));
    for (const name of ['quick', 'patient'])
      await cluster.until(`${name} is available`, () => isRolledOut(cluster, name));
    const victim = (await cluster.call(livingPods(cluster, 'quick')))[0]!.spec!.nodeName!;
    const left = async (app: string) => (await livingPods(cluster, app)).filter((p) => p.spec!.nodeName === victim);
    assert.ok((await cluster.call(left('patient'))).length > 0);

    const cutAt = clock.now();
    const since = () => clock.now() - cutAt;
    cluster.cutOff(victim);
    const node = async () => (await client.resource(nodes).get(undefined, victim))!;
    const readiness = async () => (await node()).status!.conditions!.find((c) => c.type === 'Ready')!;
    await cluster.until('the node is not Ready', async () => (await readiness()).status !== 'True');
    assert.ok(since() > GRACE_MS - 10_000 && since() < GRACE_MS + SLACK_MS, `NotReady after ${since()} ms`);
    const { status, reason } = await cluster.call(readiness());
    assert.deepEqual([status, reason], ['Unknown', 'NodeStatusUnknown']);
    await cluster.until('the node is tainted', async () => {
      const taints = (await node()).spec?.taints ?? [];
      return ['NoSchedule', 'NoExecute'].every((e) => taints.some((t) => t.key === UNREACHABLE && t.effect === e));
    });
    const taintedAt = clock.now();

    await cluster.until('the impatient pods are evicted', async () => (await left('quick')).length === 0);
    const evicted = clock.now() - taintedAt;
    assert.ok(evicted >= (TOLERATED_SECONDS - 2) * 1000 && evicted < TOLERATED_SECONDS * 1000 + SLACK_MS, `${evicted}`);
    assert.ok((await cluster.call(left('patient'))).length > 0);
    await cluster.until('they are replaced elsewhere', async () => {
      const living = await livingPods(cluster, 'quick');
      return living.length === 3 && living.every((p) => isReady(p) && p.spec!.nodeName !== victim);
    });
    await cluster.until('the patient ones follow', async () => {
      const living = await livingPods(cluster, 'patient');
      return living.length === 3 && living.every((p) => isReady(p) && p.spec!.nodeName !== victim);
    });
    const waited = clock.now() - taintedAt;
    assert.ok(waited >= 298_000 && waited < 300_000 + SLACK_MS, `evicted after ${waited} ms`);
    // Only the kubelet can say that its containers have ended: until then the evicted pods stay.
    const onVictim = async () =>
      (await client.resource(pods).list({ fieldSelector: `spec.nodeName=${victim}` })).items.length;
    assert.ok((await cluster.call(onVictim())) > 0);

    cluster.rejoin(victim);
    await cluster.until('the node is Ready again, without taints', async () => {
      return (await readiness()).status === 'True' && ((await node()).spec?.taints ?? []).length === 0;
    });
    await cluster.until('the evicted pods are gone', async () => (await onVictim()) === 0);
    for (const name of ['quick', 'patient']) assert.ok(await cluster.call(isRolledOut(cluster, name)));
    assert.deepEqual(forbidden(cluster), []);
  });
});
