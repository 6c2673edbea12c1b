// Who the client is, where the server's side may see it.
import type { Pod } from '#generated/api/core-v1.ts';
import { type Facts, couldNot } from './facts.ts';

export function sourcePod(facts: Facts): Pod | undefined {
  return facts.source.at === 'pod' ? facts.source.pod : undefined;
}

/** The laptop's own address, as the probe's socket had it. */
export function ownAddress(facts: Facts): string | undefined {
  if (facts.main === undefined || couldNot(facts.main.result)) return undefined;
  return facts.main.result.connects.find((c) => c.localAddress !== undefined)?.localAddress;
}
