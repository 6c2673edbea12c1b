// Without a target: what the source's workload seems to connect to, read from its environment, its ConfigMaps and the errors it logged.
import { configmaps } from '#generated/resources.ts';
import { readBody } from '#machinery/exchange.ts';
import type { AskDeps } from '../question.ts';
import type { Facts } from '../facts.ts';
import { noObjects } from '../facts.ts';
import { longLived, nameOf, namespaceOf, pathOf } from '../pods.ts';
import { hidePassword, parseTarget, type Source } from '../target.ts';
import { ObjectReader } from './objects.ts';
import { findSource } from './source.ts';
import { environmentOf } from './upstream.ts';

export interface Candidate {
  readonly target: string;
  readonly from: string;
}

const URL = /\b(?:postgres(?:ql)?|mysql|mariadb|rediss?|amqps?|mongodb|https?|grpcs?|tcp):\/\/[^\s"'<>]+/g;
const LOG_LINES = 200;
/** Prefix of a variable → the scheme of what it names. */
const SCHEMES: readonly (readonly [RegExp, string, string])[] = [
  [/PG|POSTGRES|DB|DATABASE/, 'postgres', '5432'],
  [/MYSQL|MARIADB/, 'mysql', '3306'],
  [/REDIS|VALKEY|CACHE/, 'redis', '6379'],
  [/AMQP|RABBIT/, 'amqp', '5672'],
  [/MONGO/, 'mongodb', '27017'],
];

export async function findCandidates(source: Source, namespace: string, deps: AskDeps): Promise<readonly Candidate[]> {
  if (source.kind === 'laptop' || source.kind === 'node') return [];
  const reader = new ObjectReader(deps.client);
  const place = source.namespace ?? namespace;
  const world = await reader.world([place]);
  const found = await findSource(deps.client, source, namespace, world, () => []);
  const pod = found.at === 'pod' ? found.pod : undefined;
  if (pod === undefined) return [];
  const maps = await deps.client.resource(configmaps).list({ namespace: place });
  const facts = { objects: { ...noObjects, configMaps: maps.items } } as unknown as Facts;
  const out: Candidate[] = [];
  for (const container of longLived(pod)) {
    out.push(...fromVariables(environmentOf(facts, pod, container)));
    for (const mount of container.volumeMounts ?? []) {
      const name = pod.spec?.volumes?.find((v) => v.name === mount.name)?.configMap?.name;
      const map = maps.items.find((c) => nameOf(c) === name);
      for (const [key, text] of Object.entries(map?.data ?? {}))
        out.push(...inText(text, `ConfigMap ${place}/${name} key ${key}`));
    }
    const answer = await deps.client.raw(
      'GET',
      `/api/v1/namespaces/${namespaceOf(pod)}/pods/${nameOf(pod)}/log?container=${container.name}&tailLines=${LOG_LINES}`,
    );
    const log = Buffer.from(await readBody(answer.body)).toString('utf8');
    if (answer.status === 200) out.push(...inLog(log, `log of ${pathOf(pod)} ${container.name}`));
  }
  return [...new Map(out.filter((c) => isTarget(c.target)).map((c) => [c.target, c])).values()];
}

export function fromVariables(
  env: ReadonlyMap<string, { readonly value: string; readonly from: string }>,
): Candidate[] {
  const out: Candidate[] = [];
  for (const [name, { value }] of env) {
    out.push(...inText(value, name));
    const prefix = /^(.*?)_?HOST(NAME)?$/.exec(name)?.[1];
    if (prefix === undefined || value === '' || value.includes('/')) continue;
    const related = (word: string) => env.get(`${prefix}_${word}`)?.value ?? env.get(`${prefix}${word}`)?.value;
    const [, scheme, usual] = SCHEMES.find(([pattern]) => pattern.test(name)) ?? [undefined, 'tcp', undefined];
    const port = related('PORT') ?? usual;
    if (port === undefined) continue;
    const user = related('USER') ?? related('USERNAME');
    const database = related('NAME') ?? related('DATABASE') ?? related('DB');
    const path = database === undefined || scheme === 'tcp' ? '' : `/${database}`;
    out.push({
      target: `${scheme}://${user === undefined || scheme === 'tcp' ? '' : `${user}@`}${value}:${port}${path}`,
      from: name,
    });
  }
  return out;
}

function inText(text: string, from: string): Candidate[] {
  return [...text.matchAll(URL)].map((m) => ({ target: hidePassword(m[0].replace(/[.,;)\]]+$/, '')), from }));
}

/** Words with which clients complain, and what they complain about. */
export function inLog(text: string, from: string): Candidate[] {
  const out: Candidate[] = [];
  for (const line of text.split('\n')) {
    if (
      !/refused|timed? ?out|unreachable|not known|not found|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|no such host|could not connect|connection to server|failed to connect/i.test(
        line,
      )
    )
      continue;
    out.push(...inText(line, from));
    const pg = /connection to server at "([^"]+)"(?: \([^)]*\))?, port (\d+)/.exec(line);
    if (pg !== null) out.push({ target: `postgres://${pg[1]}:${pg[2]}`, from });
    const dial = /(?:dial tcp|connect \w+|connecting to|connect to)\s+\[?([\w.-]+)\]?:(\d+)/.exec(line);
    if (dial !== null) out.push({ target: `tcp://${dial[1]}:${dial[2]}`, from });
  }
  return out;
}

function isTarget(text: string): boolean {
  try {
    parseTarget(text);
    return true;
  } catch {
    return false;
  }
}
