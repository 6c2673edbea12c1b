// Sends pod statuses to the API: the newest of each pod, one request a pod at a time, only what changed.
import type { Pod, PodStatus } from '#generated/api/core-v1.ts';
import { pods as podsRef } from '#generated/resources.ts';
import type { Clock } from '#base/clock.ts';
import { sleep } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { Client } from '#client/client.ts';
import { isStatus } from '#machinery/status.ts';

/** Pause after a failed request. */
const RETRY_MS = 1000;

interface Entry {
  readonly pod: Pod;
  /** The newest status asked for. */
  wanted: PodStatus;
  /** What the API has, as far as is known. */
  known: PodStatus;
  /** resourceVersion at which `known` was so. */
  knownAt: string;
  sending: Promise<void> | undefined;
}

export interface StatusWriterDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export class StatusWriter {
  readonly #deps: StatusWriterDeps;
  /** Pod uid → what is wanted and known. */
  readonly #entries = new Map<string, Entry>();

  constructor(deps: StatusWriterDeps) {
    this.#deps = deps;
  }

  /** Never waits; the request is on its way when this returns. */
  set(pod: Pod, status: PodStatus): void {
    const uid = pod.metadata.uid!;
    let entry = this.#entries.get(uid);
    if (entry === undefined) {
      entry = {
        pod,
        wanted: status,
        known: pod.status ?? {},
        knownAt: pod.metadata.resourceVersion ?? '0',
        sending: undefined,
      };
      this.#entries.set(uid, entry);
    }
    entry.wanted = status;
    // Others write to the status too (readiness gates, node lifecycle): compare with the newest that was seen.
    if (entry.sending === undefined && isNewer(pod.metadata.resourceVersion, entry.knownAt)) {
      entry.known = pod.status ?? {};
      entry.knownAt = pod.metadata.resourceVersion!;
    }
    if (entry.sending === undefined && !sameJson(entry.known, status)) entry.sending = this.#send(entry);
  }

  /** The status last asked for, which may be newer than the API's. */
  latest(uid: string): PodStatus | undefined {
    return this.#entries.get(uid)?.wanted;
  }

  /** Resolves when the newest status of the pod is at the API (or the pod is gone). */
  async flush(uid: string): Promise<void> {
    for (let entry = this.#entries.get(uid); entry?.sending !== undefined; entry = this.#entries.get(uid))
      await entry.sending;
  }

  forget(uid: string): void {
    this.#entries.delete(uid);
  }

  async #send(entry: Entry): Promise<void> {
    const { name, namespace, uid } = entry.pod.metadata;
    const pods = this.#deps.client.resource(podsRef);
    await Promise.resolve(); // statuses set in the same turn are one request
    while (!this.#deps.signal.aborted && this.#entries.get(uid!) === entry && !sameJson(entry.known, entry.wanted)) {
      const target = entry.wanted;
      try {
        const patch = { metadata: { uid }, status: statusPatch(entry.known, target) };
        const updated = await pods.patch(namespace, name!, 'application/strategic-merge-patch+json', patch, {
          subresource: 'status',
        });
        if (updated.metadata.uid !== uid) break;
        entry.known = target;
        entry.knownAt = updated.metadata.resourceVersion ?? entry.knownAt;
      } catch (error) {
        if (isStatus(error, 'NotFound') || isStatus(error, 'Conflict')) break; // gone, or another pod of this name
        this.#deps.log.warn('pod status was not accepted', { pod: `${namespace}/${name}`, error });
        try {
          await sleep(this.#deps.clock, RETRY_MS, this.#deps.signal);
        } catch {
          break; // stopped while waiting
        }
      }
    }
    entry.sending = undefined;
  }
}

/** Resource versions are comparable as numbers (KEP-5504). */
function isNewer(version: string | undefined, than: string): boolean {
  if (version === undefined || !/^\d+$/.test(version) || !/^\d+$/.test(than)) return false;
  return BigInt(version) > BigInt(than);
}

/** Conditions that go away when there is nothing to say; all others are the pod's for good, or somebody else's. */
const PASSING_CONDITIONS = new Set(['PodResizePending', 'PodResizeInProgress']);

/** Lists that strategic merge would join by key, and the kubelet means to replace. */
const REPLACED_LISTS = new Set(['podIPs', 'hostIPs']);

/** The fields that differ; null removes one. Conditions are merged by type, so only the changed ones are sent. */
export function statusPatch(before: PodStatus, after: PodStatus): Record<string, unknown> {
  const patch: Record<string, unknown> = {};
  const old = before as Readonly<Record<string, unknown>>;
  const next = after as Readonly<Record<string, unknown>>;
  for (const key of new Set([...Object.keys(old), ...Object.keys(next)])) {
    if (sameJson(old[key], next[key])) continue;
    if (next[key] === undefined) patch[key] = null;
    else if (key === 'conditions') {
      const passed = (before.conditions ?? []).filter(
        (c) => PASSING_CONDITIONS.has(c.type) && !after.conditions?.some((now) => now.type === c.type),
      );
      patch[key] = [
        ...(after.conditions ?? [])
          .filter(
            (c) =>
              !sameJson(
                c,
                before.conditions?.find((o) => o.type === c.type),
              ),
          )
          .map((c) => ({ ...c, reason: c.reason ?? null, message: c.message ?? null })),
        ...passed.map(({ type }) => ({ $patch: 'delete', type })),
      ];
    } else if (REPLACED_LISTS.has(key) && Array.isArray(old[key]) && old[key].length > 0)
      patch[key] = [{ $patch: 'replace' }, ...(next[key] as unknown[])];
    else patch[key] = next[key];
  }
  return patch;
}

/** Equal as JSON: key order and undefined do not matter. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((v, i) => sameJson(v, b[i]));
  }
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].every((k) => sameJson(left[k], right[k]));
}
