// Probes from where this process stands: the laptop.
import type { Cannot, Prober, ProbeRequest, ProbeResult, Vantage } from './result.ts';
import { type ProbeDeps, runProbe } from './run-probe.ts';

export class LaptopProber implements Prober {
  readonly #deps: ProbeDeps;

  constructor(deps: ProbeDeps) {
    this.#deps = deps;
  }

  async probe(from: Vantage, request: ProbeRequest): Promise<ProbeResult | Cannot> {
    return from.at === 'laptop'
      ? runProbe(request, this.#deps)
      : { cannot: `the laptop cannot probe from ${from.at === 'node' ? `node ${from.node}` : `pod ${from.pod}`}` };
  }
}
