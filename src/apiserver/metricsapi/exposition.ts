// A node's /metrics/resource, read: the counters from which usage is made. The families are those that metrics-server reads.

/** One reading of something. */
export interface Point {
  /** Milliseconds since the epoch, as the kubelet says. */
  readonly atMs: number;
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

export interface ContainerPoint extends Point {
  readonly startMs: number | undefined;
}

export interface NodeReading {
  /** Undefined when the node does not tell. */
  readonly node: Point | undefined;
  /** `namespace/pod` → container → reading. Pods of which something is missing are left out. */
  readonly pods: ReadonlyMap<string, ReadonlyMap<string, ContainerPoint>>;
}

const SAMPLE = /^([a-z_]+)(?:\{(.*)\})? (\S+)(?: (\d+))?$/;
const LABEL = /([a-zA-Z_]+)="((?:[^"\\]|\\.)*)"/g;

interface Draft {
  atMs?: number;
  cpuSeconds?: number;
  memoryBytes?: number;
  startMs?: number;
}

/** `readMs`: when it was read, for samples without a time. */
export function parseResourceMetrics(text: string, readMs: number): NodeReading {
  const node: Draft = {};
  const drafts = new Map<string, Map<string, Draft>>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const match = SAMPLE.exec(line);
    if (match === null) continue;
    const [, family, labels = '', value, time] = match;
    let draft: Draft | undefined;
    if (family!.startsWith('node_')) draft = node;
    else if (family!.startsWith('container_')) {
      const { namespace = '', pod = '', container = '' } = labelsOf(labels);
      draft = drafts
        .getOrInsertComputed(`${namespace}/${pod}`, () => new Map())
        .getOrInsertComputed(container, () => ({}));
    }
    if (draft === undefined) continue;
    const amount = Number(value);
    switch (family!.slice(family!.indexOf('_') + 1)) {
      case 'cpu_usage_seconds_total':
        draft.cpuSeconds = amount;
        draft.atMs = time === undefined ? readMs : Number(time);
        break;
      case 'memory_working_set_bytes':
        draft.memoryBytes = amount;
        break;
      case 'start_time_seconds':
        draft.startMs = amount * 1000;
        break;
    }
  }
  const pods = new Map<string, ReadonlyMap<string, ContainerPoint>>();
  for (const [key, containers] of drafts) {
    const points = new Map<string, ContainerPoint>();
    for (const [name, draft] of containers) {
      const point = pointOf(draft);
      if (point !== undefined) points.set(name, { ...point, startMs: draft.startMs });
    }
    if (points.size === containers.size) pods.set(key, points);
  }
  return { node: pointOf(node), pods };
}

/** Zero means that nothing was measured: a hollow node, a container that has not begun. */
function pointOf({ atMs, cpuSeconds, memoryBytes }: Draft): Point | undefined {
  return atMs === undefined || !cpuSeconds || !memoryBytes ? undefined : { atMs, cpuSeconds, memoryBytes };
}

function labelsOf(text: string): Readonly<Record<string, string>> {
  const out: Record<string, string> = {};
  for (const [, name, value] of text.matchAll(LABEL))
    out[name!] = value!.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
  return out;
}
