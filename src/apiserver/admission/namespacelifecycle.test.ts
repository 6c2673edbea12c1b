import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import type { Namespace } from '#generated/api/core-v1.ts';
import { StatusError } from '#machinery/status.ts';
import type { Lookup } from '../authentication/lookup.ts';
import { NamespaceLifecycle } from './namespacelifecycle.ts';
import { makeAttributes, type AttributesOptions } from './testing.ts';

const active: Namespace = { metadata: { name: 'db' }, status: { phase: 'Active' } };
const ending: Namespace = {
  metadata: { name: 'db', deletionTimestamp: '2026-01-01T00:00:00Z' },
  status: { phase: 'Terminating' },
};

function lookup(cached: Namespace | undefined, live = cached): Lookup<Namespace> & { lives: number } {
  const self = { lives: 0, cached: () => cached, live: async () => (self.lives++, live) };
  return self;
}

async function outcome(
  namespaces: Lookup<Namespace>,
  options: AttributesOptions,
  plugin = new NamespaceLifecycle({ clock: new SteppedClock(), namespaces }),
): Promise<string> {
  try {
    await plugin.validate(makeAttributes(options));
    return 'ok';
  } catch (error) {
    return (error as StatusError).message;
  }
}

describe('NamespaceLifecycle', () => {
  const pod = { metadata: { name: 'web', namespace: 'db' } };
  const terminating =
    'pods "web" is forbidden: unable to create new content in namespace db because it is being terminated';
  const cases: { when: string; namespaces: Lookup<Namespace>; options: AttributesOptions; result: string }[] = [
    {
      when: 'the namespace is there',
      namespaces: lookup(active),
      options: { resource: 'pods', object: pod },
      result: 'ok',
    },
    {
      when: 'only the store knows the namespace yet',
      namespaces: lookup(undefined, active),
      options: { resource: 'pods', object: pod },
      result: 'ok',
    },
    {
      when: 'the namespace is not there',
      namespaces: lookup(undefined),
      options: { resource: 'pods', object: pod },
      result: 'namespaces "db" not found',
    },
    {
      when: 'the namespace is ending',
      namespaces: lookup(ending),
      options: { resource: 'pods', object: pod },
      result: terminating,
    },
    {
      when: 'something in an ending namespace is updated',
      namespaces: lookup(ending),
      options: { operation: 'UPDATE', resource: 'pods', object: pod, oldObject: pod },
      result: 'ok',
    },
    {
      when: 'the object has no namespace',
      namespaces: lookup(undefined),
      options: { resource: 'nodes', object: { metadata: { name: 'n' } } },
      result: 'ok',
    },
    {
      when: 'a system namespace is deleted',
      namespaces: lookup(active),
      options: { operation: 'DELETE', resource: 'namespaces', namespace: 'kube-system', name: 'kube-system' },
      result: 'namespaces "kube-system" is forbidden: this namespace may not be deleted',
    },
    {
      when: 'another namespace is deleted',
      namespaces: lookup(active),
      options: { operation: 'DELETE', resource: 'namespaces', name: 'db' },
      result: 'ok',
    },
  ];
  for (const { when, namespaces, options, result } of cases) {
    it(`answers "${result}" when ${when}`, async () => assert.equal(await outcome(namespaces, options), result));
  }

  it('names the cause NamespaceTerminating', async () => {
    const plugin = new NamespaceLifecycle({ clock: new SteppedClock(), namespaces: lookup(ending) });
    assert.throws(
      () => plugin.validate(makeAttributes({ resource: 'pods', object: pod })),
      (e: StatusError) => {
        assert.deepEqual(e.details?.causes, [
          { reason: 'NamespaceTerminating', message: 'namespace db is being terminated', field: 'metadata.namespace' },
        ]);
        return true;
      },
    );
  });

  it('does not believe its copy of a namespace that was deleted a moment ago', async () => {
    const clock = new SteppedClock();
    const namespaces = lookup(active, ending);
    const plugin = new NamespaceLifecycle({ clock, namespaces });
    assert.equal(await outcome(namespaces, { resource: 'pods', object: pod }, plugin), 'ok');
    await plugin.validate(makeAttributes({ operation: 'DELETE', resource: 'namespaces', name: 'db' }));
    assert.equal(await outcome(namespaces, { resource: 'pods', object: pod }, plugin), terminating);
    await clock.step(31_000);
    assert.equal(await outcome(namespaces, { resource: 'pods', object: pod }, plugin), 'ok');
    assert.equal(namespaces.lives, 1);
  });

  it('does not look at access reviews and deletes', () => {
    const plugin = new NamespaceLifecycle({ clock: new SteppedClock(), namespaces: lookup(active) });
    assert.equal(plugin.handles('CREATE', 'authorization.k8s.io', 'localsubjectaccessreviews'), false);
    assert.equal(plugin.handles('DELETE', '', 'pods'), false);
    assert.equal(plugin.handles('CREATE', '', 'pods'), true);
  });
});
