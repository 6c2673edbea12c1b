// Looks into the nodes on the way: before the probe's packets and after them.
import type { Pod } from '#generated/api/core-v1.ts';
import { sleep } from '#base/clock.ts';
import { couldNot, type Denied, type Facts, type ProbeRun, type Sight } from '../facts.ts';
import type { Located } from '../locate.ts';
import type { FactsRequest } from '../node/facts.ts';
import { outcomeOf } from '../outcome.ts';
import { isRunning, nameOf, namespaceOf } from '../pods.ts';
import type { Cannot } from '../probe/result.ts';
import type { AskDeps } from '../question.ts';

const ANSWER_MS = 2_000;
/** When the probe got through, what nodes add is not worth more than this. */
const GRACE_MS = 500;

function factsRequests(facts: Facts, located: Located, pods: readonly Pod[]): ReadonlyMap<string, FactsRequest> {
  const client = facts.source.at === 'pod' ? facts.source.pod : undefined;
  const own = client?.spec?.nodeName ?? (facts.source.at === 'node' ? facts.source.wanted : located.node);
  const out = new Map<string, { pods: { namespace: string; name: string }[]; services: string[] }>();
  const at = (node: string) => {
    const known = out.get(node) ?? { pods: [], services: [] };
    out.set(node, known);
    return known;
  };
  if (own !== undefined) {
    const keys =
      located.port === undefined ? [] : located.addresses.map((ip) => `${ip}:${located.port}/${located.transport}`);
    at(own).services.push(...keys);
  }
  for (const pod of new Set([...(client === undefined ? [] : [client]), ...pods])) {
    const node = pod.spec?.nodeName;
    if (node !== undefined && isRunning(pod)) at(node).pods.push({ namespace: namespaceOf(pod), name: nameOf(pod) });
  }
  return out;
}

export async function lookAtNodes(
  deps: AskDeps,
  facts: Facts,
  located: Located,
  pods: readonly Pod[],
  signal: AbortSignal,
  enough: Promise<void> = new Promise(() => {}),
): Promise<ReadonlyMap<string, Sight>> {
  const requests = [...factsRequests(facts, located, pods)].slice(0, 6);
  const given = enough.then((): Cannot => ({ cannot: 'it was not waited for, since the probe got through' }));
  const seen = await Promise.all(
    requests.map(async ([node, request]) => {
      const looked = within(deps, deps.sight.facts(node, request, signal));
      return [node, { before: await Promise.race([looked, given]) }] as const;
    }),
  );
  return new Map(seen);
}

/** Settles when a look at the nodes is no longer worth waiting for: never, when the probe did not get through. */
export function afterSuccess(deps: AskDeps, run: ProbeRun): Promise<void> {
  const outcome = outcomeOf(run);
  const isThrough = outcome.made && outcome.failedAt === undefined;
  return isThrough ? sleep(deps.clock, GRACE_MS) : new Promise(() => {});
}

/** A node that does not answer must not keep the answer waiting. */
export async function within<T>(deps: AskDeps, asked: Promise<T | Cannot>): Promise<T | Cannot> {
  const done = new AbortController();
  const late = sleep(deps.clock, ANSWER_MS, done.signal).then(
    (): Cannot => ({ cannot: 'it did not answer in time' }),
    (): Cannot => ({ cannot: 'it was not waited for' }),
  );
  try {
    return await Promise.race([asked, late]);
  } finally {
    done.abort();
  }
}

export function sightDenied(sight: ReadonlyMap<string, Sight>): readonly Denied[] {
  const permissions = [...sight.values()].flatMap((s) =>
    couldNot(s.before) && s.before.permission !== undefined ? [s.before.permission] : [],
  );
  return [...new Set(permissions)].map((permission) => ({ kind: 'sight', permission }));
}

export async function lookAgain(
  deps: AskDeps,
  facts: Facts,
  located: Located,
  pods: readonly Pod[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Sight>> {
  const able = [...facts.sight].filter(([, s]) => !couldNot(s.before));
  const requests = factsRequests(facts, located, pods);
  const seen = await Promise.all(
    able.map(
      async ([node, s]) =>
        [
          node,
          {
            ...s,
            after: await within(deps, deps.sight.facts(node, requests.get(node) ?? { pods: [], services: [] }, signal)),
          },
        ] as const,
    ),
  );
  return new Map([...facts.sight, ...seen]);
}
