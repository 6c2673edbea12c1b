import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Pod } from '#generated/api/core-v1.ts';
import { SteppedClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { realFileSystem } from '#host/file-system.ts';
import { FakeRuntime } from '../cri/fake.ts';
import type { RuntimeStatus } from '../cri/messages.ts';
import { checkUserNamespaces, UserNamespaces } from './user-namespaces.ts';

const IDS = 65_536;
let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'userns-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const podOf = (uid: string, hostUsers?: boolean): Pod =>
  ({
    metadata: { name: uid, uid },
    spec: { containers: [], ...(hostUsers === undefined ? {} : { hostUsers }) },
  }) as Pod;

/** What one node's agent has; another call is another agent, or the same one started anew. */
function agent(node: string) {
  const rootDir = join(root, node);
  const namespaces = new UserNamespaces({ files: realFileSystem, rootDir, claimsDir: join(root, 'claims') });
  const folder = (uid: string) => join(rootDir, 'pods', uid);
  return {
    namespaces,
    folder,
    range(uid: string): number {
      mkdirSync(folder(uid), { recursive: true });
      const { uids } = namespaces.of(podOf(uid, false));
      return uids![0]!.hostId;
    },
  };
}
const claims = () => readdirSync(join(root, 'claims'));

describe('UserNamespaces', () => {
  it('leaves pods in the machine’s own ids unless they ask', () => {
    const { namespaces } = agent('n1');
    assert.deepEqual(namespaces.of(podOf('a')), { mode: 'NODE' });
    assert.deepEqual(namespaces.of(podOf('a', true)), { mode: 'NODE' });
  });

  it('maps the same 65536 high ids for users and groups, as the pod’s file records', () => {
    const { namespaces, folder } = agent('n1');
    mkdirSync(folder('a'), { recursive: true });
    const given = namespaces.of(podOf('a', false));
    assert.equal(given.mode, 'POD');
    assert.deepEqual(given.uids, given.gids);
    const [ids] = given.uids!;
    assert.deepEqual([ids!.containerId, ids!.length, ids!.hostId % IDS], [0, IDS, 0]);
    assert.ok(ids!.hostId > 1_000_000_000 && ids!.hostId + IDS < 2 ** 31);
    assert.deepEqual(JSON.parse(readFileSync(join(folder('a'), 'userns'), 'utf8')), {
      uidMappings: [ids],
      gidMappings: [ids],
    });
  });

  it('gives no range twice, on all nodes of the machine', () => {
    const [one, two] = [agent('n1'), agent('n2')];
    const ranges = ['a', 'b', 'c'].flatMap((uid) => [one.range(uid), two.range(`${uid}2`)]);
    assert.equal(new Set(ranges).size, 6);
  });

  it('gives a pod the same range after a restart, and others none of it', () => {
    const before = agent('n1').range('a');
    const after = agent('n1');
    after.namespaces.sweep();
    assert.equal(after.range('a'), before);
    assert.notEqual(after.range('b'), before);
  });

  it('has a range again once it was released, and only then', () => {
    const { range, namespaces, folder } = agent('n1');
    const first = range('a');
    assert.notEqual(range('b'), first);
    namespaces.release('a');
    assert.ok(!existsSync(join(folder('a'), 'userns')));
    namespaces.release('a');
    assert.equal(range('c'), first);
    assert.equal(claims().length, 2);
  });

  it('sweeps away what a deleted node has left, and nothing of those that live', () => {
    const [dead, living] = [agent('n1'), agent('n2')];
    const free = dead.range('a');
    const kept = living.range('b');
    rmSync(join(root, 'n1'), { recursive: true });
    agent('n3').namespaces.sweep();
    assert.deepEqual(claims(), [String(kept / IDS)]);
    assert.equal(agent('n3').range('c'), free);
  });

  it('begins anew when the file was cut short, or names a range that another pod has', () => {
    const { range, folder } = agent('n1');
    const theirs = range('a');
    for (const [uid, text] of [
      ['b', '{"uidMapp'],
      ['c', JSON.stringify({ uidMappings: [{ hostId: theirs }] })],
      ['d', JSON.stringify({ uidMappings: [{ hostId: 0 }] })],
    ] as const) {
      mkdirSync(folder(uid), { recursive: true });
      writeFileSync(join(folder(uid), 'userns'), text);
    }
    const ranges = [theirs, range('b'), range('c'), range('d')];
    assert.equal(new Set(ranges).size, 4);
    assert.ok(!ranges.includes(0));
  });

  it('says so when there is none left', () => {
    const { range, namespaces, folder } = agent('n1');
    range('a');
    for (let n = 0x7000; n <= 0x7ffd; n++) {
      const link = join(root, 'claims', String(n));
      if (!existsSync(link)) writeFileSync(link, '');
    }
    mkdirSync(folder('b'), { recursive: true });
    assert.throws(() => namespaces.of(podOf('b', false)), /could not find an empty slot to allocate a user namespace/);
    assert.ok(!existsSync(join(folder('b'), 'userns')));
  });
});

describe('checkUserNamespaces', () => {
  const runtimeWith = (handlers: RuntimeStatus['runtimeHandlers']) => {
    const runtime = new FakeRuntime({ clock: new SteppedClock(), random: new SeededRandom(1), ipOf: () => '' });
    runtime.status = async () => ({ conditions: [], runtimeHandlers: handlers });
    return runtime;
  };
  const can = (userNamespaces: boolean) => ({ recursiveReadOnlyMounts: false, userNamespaces });

  it('refuses the pod in upstream’s words where the default handler cannot, or says nothing', async () => {
    for (const handlers of [
      [],
      [{ name: '', features: can(false) }],
      [{ name: 'other', features: can(true) }],
      [{ name: '' }],
    ])
      await assert.rejects(checkUserNamespaces(podOf('a', false), runtimeWith(handlers)), {
        message: "can't set `spec.hostUsers: false`, runtime does not support user namespaces",
      });
  });

  it('takes it where the handler can, and asks nothing for other pods', async () => {
    await checkUserNamespaces(podOf('a', false), runtimeWith([{ name: '', features: can(true) }]));
    await checkUserNamespaces(podOf('a'), runtimeWith([]));
  });
});
