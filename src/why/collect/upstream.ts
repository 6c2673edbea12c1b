// What a pooler forwards to: read from its environment, its configuration in a ConfigMap, or the connections that it holds.
import type { Container, Pod } from '#generated/api/core-v1.ts';
import type { Facts } from '../facts.ts';
import type { Located } from '../locate.ts';
import { podFacts } from '../meaning.ts';
import { isRunning, longLived, nameOf, namespaceOf, pathOf } from '../pods.ts';
import { parseTarget, type Target } from '../target.ts';

export interface Found {
  readonly pod: Pod;
  readonly target: Target;
  readonly read: string;
}

const POOLERS = /pgbouncer|pgpool|odyssey|pgcat|supavisor|proxysql|maxscale|cloud-sql-proxy|cloudsql-proxy/;
const HOSTS = [
  'DB_HOST',
  'DATABASE_HOST',
  'POSTGRESQL_HOST',
  'POSTGRES_HOST',
  'PGHOST',
  'PGBOUNCER_HOST',
  'BACKEND_HOST',
  'UPSTREAM_HOST',
];
const PORTS = [
  'DB_PORT',
  'DATABASE_PORT',
  'POSTGRESQL_PORT',
  'POSTGRES_PORT',
  'PGPORT',
  'BACKEND_PORT',
  'UPSTREAM_PORT',
];
const URLS = ['DATABASE_URL', 'DB_URL', 'DATABASES', 'UPSTREAM_URL'];

/** Undefined when the server that answers is no pooler. */
export function findUpstream(facts: Facts, located: Located): Found | undefined {
  const port = located.backends[0]?.port ?? located.port;
  const pod = located.backends.find((b) => b.pod !== undefined && isRunning(b.pod))?.pod;
  if (pod === undefined || facts.target.kind === 'ingress') return undefined;
  const program = podFacts(facts, pod)?.listening.find((s) => s.port === port)?.program;
  const containers = longLived(pod).filter((c) => POOLERS.test(c.image ?? '') || POOLERS.test(c.name));
  const declares = containers.find((c) => c.ports?.some((p) => p.containerPort === port)) ?? containers[0];
  const isPooler =
    program === undefined
      ? declares !== undefined && (port === 6432 || declares.ports?.some((p) => p.containerPort === port) === true)
      : POOLERS.test(program);
  if (!isPooler) return undefined;
  const container = declares ?? longLived(pod)[0]!;
  return fromEnv(facts, pod, container) ?? fromConfig(facts, pod, container) ?? fromSockets(facts, pod, port);
}

const scheme = (facts: Facts): string =>
  facts.target.kind === 'address' && facts.target.protocol === 'mysql'
    ? 'mysql'
    : facts.target.kind === 'address' && facts.target.protocol !== 'tcp'
      ? 'postgres'
      : 'tcp';

function targetAt(facts: Facts, host: string, port: string | number | undefined): Target | undefined {
  const kind = scheme(facts);
  const number = port ?? (kind === 'mysql' ? 3306 : 5432);
  const address = host.includes(':') ? `[${host}]` : host;
  try {
    // How the pooler logs in is its own affair: what is asked is whether it gets there.
    return parseTarget(kind === 'tcp' ? `tcp://${address}:${number}` : `${kind}://${address}:${number}`);
  } catch {
    return undefined;
  }
}

/** Plain values and those that a ConfigMap gives. */
export function environmentOf(
  facts: Facts,
  pod: Pod,
  container: Container,
): ReadonlyMap<string, { readonly value: string; readonly from: string }> {
  const out = new Map<string, { value: string; from: string }>();
  const map = (name: string | undefined) =>
    facts.objects.configMaps.find((c) => nameOf(c) === name && namespaceOf(c) === namespaceOf(pod));
  for (const source of container.envFrom ?? []) {
    const name = source.configMapRef?.name;
    for (const [k, v] of Object.entries(map(name)?.data ?? {}))
      out.set(`${source.prefix ?? ''}${k}`, { value: v, from: `ConfigMap ${namespaceOf(pod)}/${name}` });
  }
  for (const variable of container.env ?? []) {
    const ref = variable.valueFrom?.configMapKeyRef;
    if (variable.value !== undefined)
      out.set(variable.name, {
        value: variable.value,
        from: `environment of pod ${pathOf(pod)}, container ${container.name}`,
      });
    else if (ref !== undefined) {
      const value = map(ref.name)?.data?.[ref.key];
      if (value !== undefined)
        out.set(variable.name, { value, from: `ConfigMap ${namespaceOf(pod)}/${ref.name} key ${ref.key}` });
    }
  }
  return out;
}

function fromEnv(facts: Facts, pod: Pod, container: Container): Found | undefined {
  const env = environmentOf(facts, pod, container);
  const host = HOSTS.map((n) => env.get(n)).find((v) => v !== undefined && v.value !== '');
  const port = PORTS.map((n) => env.get(n)).find((v) => v !== undefined && /^\d+$/.test(v.value));
  if (host !== undefined) {
    const target = targetAt(facts, host.value, port?.value);
    if (target !== undefined) return { pod, target, read: host.from };
  }
  for (const name of URLS) {
    const url = env.get(name);
    const match = url === undefined ? null : /:\/\/(?:[^@/]*@)?([^:/?,]+)(?::(\d+))?/.exec(url.value);
    const target = match === null ? undefined : targetAt(facts, match[1]!, match[2]);
    if (target !== undefined) return { pod, target, read: url!.from };
  }
  return undefined;
}

/** `host=… port=…` of pgbouncer.ini and its like, in a ConfigMap that the pod mounts. */
function fromConfig(facts: Facts, pod: Pod, container: Container): Found | undefined {
  for (const mount of container.volumeMounts ?? []) {
    const name = pod.spec?.volumes?.find((v) => v.name === mount.name)?.configMap?.name;
    const map = facts.objects.configMaps.find((c) => nameOf(c) === name && namespaceOf(c) === namespaceOf(pod));
    for (const [key, text] of Object.entries(map?.data ?? {})) {
      const line = text.split('\n').find((l) => !/^\s*[;#]/.test(l) && /\bhost\s*=\s*['"]?[\w.-]+/.test(l));
      const host = line === undefined ? undefined : /\bhost\s*=\s*['"]?([\w.-]+)/.exec(line)?.[1];
      const port = line === undefined ? undefined : /\bport\s*=\s*['"]?(\d+)/.exec(line)?.[1];
      const target = host === undefined ? undefined : targetAt(facts, host, port);
      if (target !== undefined) return { pod, target, read: `ConfigMap ${namespaceOf(pod)}/${name} key ${key}` };
    }
  }
  return undefined;
}

function fromSockets(facts: Facts, pod: Pod, own: number | undefined): Found | undefined {
  const usual = new Set([5432, 3306, 5433]);
  for (const c of podFacts(facts, pod)?.connections ?? []) {
    const at = c.remote.lastIndexOf(':');
    const port = Number(c.remote.slice(at + 1));
    const local = Number(c.local.slice(c.local.lastIndexOf(':') + 1));
    if (local === own || !usual.has(port)) continue;
    const target = targetAt(facts, c.remote.slice(0, at).replace(/^\[|\]$/g, ''), port);
    if (target !== undefined) return { pod, target, read: `connections of pod ${pathOf(pod)} (${c.state})` };
  }
  return undefined;
}
