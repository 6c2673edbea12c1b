// Takes out of an answer what must differ between two servers, and nothing else. The paths are a closed list: RULES. Each value is looked
// at before it is replaced (a uid must look like one, a time must be of now), and uids and resource versions are replaced by their
// number of first appearance within the case, so that two objects with the same one, or one that changed, still show.

type Json = unknown;
type JsonObject = Record<string, Json>;

type Replace =
  | 'uid'
  | 'resourceVersion'
  /** RFC 3339 of about now, with or without microseconds. */
  | 'now'
  /** Of an hour from now or so: what a token's lifetime gives. */
  | 'soon'
  | 'continue'
  | 'generatedName'
  | 'clusterIP'
  | 'nodePort'
  | 'token'
  | 'serverAddress'
  | 'description'
  | 'build';

interface Rule {
  /** Undefined: objects of every kind. */
  readonly kind?: string;
  /** Below an object; `*` is any index of a list, and any key of a map. */
  readonly path: string;
  readonly as: Replace;
}

/** All that is normalised. Objects are the answer itself, items of lists, rows of tables and what watches send. */
export const RULES: readonly Rule[] = [
  { path: 'metadata.uid', as: 'uid' },
  { path: 'metadata.resourceVersion', as: 'resourceVersion' },
  { path: 'metadata.creationTimestamp', as: 'now' },
  { path: 'metadata.deletionTimestamp', as: 'now' },
  { path: 'metadata.managedFields.*.time', as: 'now' },
  { path: 'metadata.continue', as: 'continue' },
  { path: 'metadata.name', as: 'generatedName' },
  { kind: 'Status', path: 'details.name', as: 'generatedName' },
  // Nameless ones get a uid for a name.
  { kind: 'LimitRange', path: 'metadata.name', as: 'uid' },
  { kind: 'Status', path: 'details.uid', as: 'uid' },
  { path: 'status.conditions.*.lastTransitionTime', as: 'now' },
  { path: 'status.conditions.*.lastUpdateTime', as: 'now' },
  { kind: 'Service', path: 'spec.clusterIP', as: 'clusterIP' },
  { kind: 'Service', path: 'spec.clusterIPs.*', as: 'clusterIP' },
  { kind: 'Service', path: 'spec.ports.*.nodePort', as: 'nodePort' },
  { kind: 'Service', path: 'spec.healthCheckNodePort', as: 'nodePort' },
  { kind: 'PersistentVolume', path: 'status.lastPhaseTransitionTime', as: 'now' },
  { kind: 'PodDisruptionBudget', path: 'status.disruptedPods.*', as: 'now' },
  { kind: 'TokenRequest', path: 'status.token', as: 'token' },
  { kind: 'TokenRequest', path: 'status.expirationTimestamp', as: 'soon' },
  { kind: 'APIVersions', path: 'serverAddressByClientCIDRs.*.serverAddress', as: 'serverAddress' },
  { kind: 'APIGroup', path: 'serverAddressByClientCIDRs.*.serverAddress', as: 'serverAddress' },
  // Documentation, not behaviour: Coracle words its own.
  { kind: 'Table', path: 'columnDefinitions.*.description', as: 'description' },
  ...['gitCommit', 'gitTreeState', 'buildDate', 'goVersion', 'compiler', 'platform', 'gitVersion'].map(
    (path): Rule => ({ kind: 'version.Info', path, as: 'build' }),
  ),
];

/** Names that admission makes up within a pod; replaced wherever they stand, since managed fields repeat them. */
const TOKEN_VOLUME = /\bkube-api-access-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g;
const UID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UID_WITHIN = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const SUFFIX = /^[bcdfghjklmnpqrstvwxz2456789]{5}$/;
/** What a name may have before its suffix; upstream's maxGeneratedNameLength. */
const GENERATED_BASE = 58;
const NOW_MS = 15 * 60_000;
const SOON_MS = 26 * 3_600_000;
/** From here on a text may have ids within it; a uid is as long. */
const LONG = 36;
const ADDRESS_WITHIN = /\b10\.(9[6-9]|10\d|11[01])\.\d{1,3}\.\d{1,3}\b(?!\/)/g;
const TIME_WITHIN = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g;
/** Lists that the original makes in no order. */
const ORDERLESS: Readonly<Record<string, readonly string[]>> = {
  SelfSubjectRulesReview: ['resourceRules', 'nonResourceRules'],
};
const AGE = /^(\d+[dhms])+$|^<invalid>$/;
/** Numbers in messages that tell the newest revision of the store, which other cases move. */
const REVISIONS: readonly RegExp[] = [
  /(?<=too old resource version: \d+ \()\d+(?=\))/g,
  /(?<=Too large resource version: \d+, current: )\d+/g,
  /(?<=resourceVersion in precondition: |ResourceVersion in precondition: )\d+/g,
  /(?<=in object meta: )\d+/g,
  /(?<=in record \()\d+(?=\))/g,
  // Whole objects in messages.
  /(?<=resourceVersion\\*":\\*")\d+/g,
];

/** What one case has shown so far. Answers must be handed in in their order. */
export class Normaliser {
  readonly #uids = new Map<string, number>();
  readonly #versions = new Map<string, number>();
  readonly #nowMs: () => number;
  readonly #host: string;
  /** What the case itself sent: addresses and ports found there were asked for, not allocated. */
  readonly #sent: string;
  #columns: readonly string[] = [];
  /** Generated names of this case → what stands for them; labels and messages repeat them. */
  readonly #generated = new Map<string, string>();
  /** What the case wants names generated from. */
  readonly #bases: readonly string[];

  constructor(options: { readonly nowMs: () => number; readonly host: string; readonly sent: string }) {
    this.#nowMs = options.nowMs;
    this.#host = options.host;
    this.#sent = options.sent;
    this.#bases = [...options.sent.matchAll(/"generateName":"([^"]+)"/g)].map((m) => m[1]!);
  }

  /** An answer's body, or an event of a watch. */
  json(text: string, kind?: string): Json {
    const value = JSON.parse(text.replace(TOKEN_VOLUME, 'kube-api-access-<suffix>')) as Json;
    return this.#uidsWithin(this.#root(value, kind));
  }

  #root(value: Json, kind?: string): Json {
    if (!isObject(value)) return value;
    const kindOf = kind ?? (typeof value['kind'] === 'string' ? value['kind'] : '');
    if (Array.isArray(value['columnDefinitions']))
      this.#columns = value['columnDefinitions'].map((c: Json) => String((c as JsonObject)['name']));
    let out = this.#object(value, kindOf);
    // An event of a watch has a type and an object, and no kind of its own.
    if (isObject(out['object']) && typeof out['type'] === 'string') out = { ...out, object: this.#root(out['object']) };
    const itemKind = kindOf.endsWith('List') ? kindOf.slice(0, -4) : undefined;
    if (Array.isArray(out['items'])) out = { ...out, items: out['items'].map((i) => this.#root(i, itemKind)) };
    if (Array.isArray(out['rows'])) out = { ...out, rows: out['rows'].map((r) => this.#row(r)) };
    return out;
  }

  #row(row: Json): Json {
    if (!isObject(row)) return row;
    const object = this.#root(row['object']);
    const cells = row['cells'];
    if (!Array.isArray(cells)) return { ...row, object };
    const shown = cells.map((cell, i) => {
      if (typeof cell !== 'string') return cell;
      const column = this.#columns[i];
      // Some kinds of the original have more cells than columns.
      if (
        (column === undefined || column === 'Age' || column === 'Last Seen' || column === 'First Seen') &&
        AGE.test(cell)
      )
        return '<age>';
      if (column === 'Created At') return this.#time(cell, NOW_MS, '<now>', '<now.micros>');
      if (column === 'Cluster-IP' && isAllocated(cell, this.#sent)) return '<clusterIP>';
      if (column === 'Port(s)')
        return cell.replace(/(?<=:)3[0-2]\d{3}\b/g, (p) => (this.#sent.includes(p) ? p : '<nodePort>'));
      return cell;
    });
    return { ...row, cells: shown, object };
  }

  #object(object: JsonObject, kind: string): JsonObject {
    let out = withoutOrder(object, kind);
    for (const rule of RULES) {
      if (rule.kind !== undefined && rule.kind !== kind) continue;
      out = this.#at(out, rule.path.split('.'), rule.as, object) as JsonObject;
    }
    return out;
  }

  #at(value: Json, path: readonly string[], as: Replace, object: JsonObject): Json {
    const [head, ...rest] = path;
    if (head === undefined) return this.#replace(value, as, object);
    if (head === '*') {
      if (Array.isArray(value)) return value.map((v) => this.#at(v, rest, as, object));
      if (!isObject(value)) return value;
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, this.#at(v, rest, as, object)]));
    }
    if (!isObject(value) || !(head in value)) return value;
    const before = value[head];
    const after = this.#at(before, rest, as, object);
    return after === before ? value : { ...value, [head]: after };
  }

  #replace(value: Json, as: Replace, object: JsonObject): Json {
    if (as === 'nodePort') {
      const free = typeof value === 'number' && value >= 30_000 && value <= 32_767;
      return free && !this.#sent.includes(String(value)) ? '<nodePort>' : value;
    }
    if (typeof value !== 'string') return value;
    switch (as) {
      case 'uid':
        return UID.test(value) ? `<uid ${numberOf(this.#uids, value)}>` : value;
      case 'resourceVersion':
        // The newest revision of a list is moved by other cases; that of an object is its own.
        if (!/^[1-9]\d*$/.test(value)) return value;
        return isObject(object['metadata']) && 'uid' in object['metadata']
          ? `<resourceVersion ${numberOf(this.#versions, value)}>`
          : '<resourceVersion>';
      case 'now':
        return this.#time(value, NOW_MS, '<now>', '<now.micros>');
      case 'soon':
        return this.#time(value, SOON_MS, '<soon>', '<soon.micros>');
      case 'continue':
        return value === '' ? value : '<continue>';
      case 'generatedName': {
        // A refusal names what would have been the object's name.
        const own = isObject(object['metadata']) ? object['metadata']['generateName'] : undefined;
        const bases =
          object['kind'] === 'Status' ? this.#bases : [own].filter((b) => typeof b === 'string' && b !== '');
        for (const base of bases as readonly string[]) {
          const start = base.slice(0, GENERATED_BASE);
          if (!value.startsWith(start) || !SUFFIX.test(value.slice(start.length))) continue;
          this.#generated.set(value, `${start}<suffix>`);
          return `${start}<suffix>`;
        }
        return value;
      }
      case 'clusterIP':
        return isAllocated(value, this.#sent) ? '<clusterIP>' : value;
      case 'token':
        return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(value) ? '<token>' : value;
      case 'serverAddress':
        return value === this.#host ? '<server>' : value.replace(/^127\.0\.0\.1:\d+$/, '<server>');
      case 'build':
        return '<build>';
      case 'description':
        return '<description>';
      default:
        return value;
    }
  }

  #time(value: string, nearMs: number, whole: string, micros: string): string {
    const match = TIME.exec(value);
    if (match === null || Math.abs(Date.parse(value) - this.#nowMs()) > nearMs) return value;
    return match[1] === undefined ? whole : micros;
  }

  /** Uids that the case has seen stand in messages and references as well, as do times of now in messages with whole objects. */
  #uidsWithin(value: Json): Json {
    if (typeof value === 'string') {
      let out = value;
      for (const [name, shown] of this.#generated) out = out.replaceAll(name, shown);
      if (value.length < LONG) return out;
      out = out.replace(ADDRESS_WITHIN, (ip) => (this.#sent.includes(`"${ip}"`) ? ip : '<clusterIP>'));
      out = out.replace(UID_WITHIN, (uid) => {
        const n = this.#uids.get(uid);
        return n === undefined ? uid : `<uid ${n}>`;
      });
      if (!TIME.test(out)) out = out.replace(TIME_WITHIN, (t) => this.#time(t, NOW_MS, '<now>', '<now.micros>'));
      if (out.includes('ersion')) for (const pattern of REVISIONS) out = out.replace(pattern, '<revision>');
      return out;
    }
    if (Array.isArray(value)) return value.map((v) => this.#uidsWithin(v));
    if (!isObject(value)) return value;
    const out: JsonObject = {};
    for (const [key, member] of Object.entries(value)) out[this.#uidsWithin(key) as string] = this.#uidsWithin(member);
    return out;
  }
}

const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** In the range of services, and not what the case asked for itself. */
const isAllocated = (value: string, sent: string): boolean =>
  /^10\.(9[6-9]|10\d|11[01])\.\d+\.\d+$/.test(value) && !sent.includes(`"${value}"`);

function withoutOrder(object: JsonObject, kind: string): JsonObject {
  const status = object['status'];
  if (!(kind in ORDERLESS) || !isObject(status)) return object;
  const lists = ORDERLESS[kind]!.map((name): [string, Json] => {
    const list = status[name];
    const byText = (a: Json, b: Json) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
    return [name, Array.isArray(list) ? list.toSorted(byText) : list];
  });
  return { ...object, status: { ...status, ...Object.fromEntries(lists.filter(([, l]) => l !== undefined)) } };
}

function numberOf(numbers: Map<string, number>, value: string): number {
  const known = numbers.get(value);
  if (known !== undefined) return known;
  numbers.set(value, numbers.size + 1);
  return numbers.size;
}
