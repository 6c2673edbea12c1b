// Counters, gauges and histograms in the Prometheus text format (version 0.0.4). Label strings are made once per
// child; a scrape is generated in pieces so that it never blocks the loop.

export interface Counter {
  inc(by?: number): void;
}
export interface Gauge {
  set(value: number): void;
}
export interface Histogram {
  observe(value: number): void;
}

type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Formatted labels → the function that prints the child's lines. */
  readonly children: Map<string, { readonly api: unknown; print(): string }>;
}

/** Kubernetes' request latency buckets, in seconds. */
export const DEFAULT_BUCKETS: readonly number[] = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];

export class MetricsRegistry {
  /** Metric name → family. */
  readonly #families = new Map<string, Family>();
  readonly #beforePrint: (() => void)[] = [];

  counter(name: string, help: string, labels: Labels = {}): Counter {
    return this.#child(name, help, 'counter', labels, (text) => {
      let value = 0;
      return { api: { inc: (by = 1) => void (value += by) }, print: () => `${name}${braces(text)} ${value}\n` };
    });
  }

  gauge(name: string, help: string, labels: Labels = {}): Gauge {
    return this.#child(name, help, 'gauge', labels, (text) => {
      let value = 0;
      return { api: { set: (to: number) => void (value = to) }, print: () => `${name}${braces(text)} ${value}\n` };
    });
  }

  histogram(name: string, help: string, labels: Labels = {}, buckets = DEFAULT_BUCKETS): Histogram {
    return this.#child(name, help, 'histogram', labels, (text) => {
      const counts = buckets.map(() => 0);
      let sum = 0;
      let count = 0;
      const observe = (value: number) => {
        sum += value;
        count++;
        const i = buckets.findIndex((b) => value <= b);
        if (i >= 0) counts[i]!++;
      };
      const print = () => {
        let total = 0;
        const comma = text === '' ? '' : `${text},`;
        const lines = buckets.map((b, i) => `${name}_bucket{${comma}le="${b}"} ${(total += counts[i]!)}\n`);
        lines.push(
          `${name}_bucket{${comma}le="+Inf"} ${count}\n${name}_sum${braces(text)} ${sum}\n${name}_count${braces(text)} ${count}\n`,
        );
        return lines.join('');
      };
      return { api: { observe }, print };
    });
  }

  /** Runs before every scrape: sets gauges of what is only measured then. */
  beforePrint(run: () => void): void {
    this.#beforePrint.push(run);
  }

  /** The scrape, one family a piece. */
  *print(): Generator<string> {
    for (const run of this.#beforePrint) run();
    for (const [name, family] of this.#families) {
      const head = `# HELP ${name} ${family.help}\n# TYPE ${name} ${family.type}\n`;
      yield head + [...family.children.values()].map((c) => c.print()).join('');
    }
  }

  #child<A>(
    name: string,
    help: string,
    type: Family['type'],
    labels: Labels,
    make: (text: string) => { api: A; print(): string },
  ): A {
    let family = this.#families.get(name);
    if (family === undefined) {
      family = { type, help, children: new Map() };
      this.#families.set(name, family);
    }
    const text = Object.entries(labels)
      .map(([k, v]) => `${k}="${v.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`)
      .join(',');
    let child = family.children.get(text);
    if (child === undefined) {
      child = make(text);
      family.children.set(text, child);
    }
    return child.api as A;
  }
}

const braces = (text: string): string => (text === '' ? '' : `{${text}}`);
