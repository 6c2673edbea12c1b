// Postgres' own access list and its roles: the line that turned a client away, and what lets it in.
import type { Pod } from '#generated/api/core-v1.ts';
import type { Facts } from '../facts.ts';
import { command, evidence, type Finding, finding, note } from '../finding.ts';
import type { Located } from '../locate.ts';
import { nameOf, namespaceOf, ownerOf, pathOf, quote } from '../pods.ts';
import type { Cure, Evidence, ObjectField } from '../report.ts';

/** Postgres' access list: the line that decided, and the one to add. */
export function hba(
  facts: Facts,
  located: Located,
  said: string,
  read: readonly Evidence[],
  object: ObjectField | undefined,
  exec: string | undefined,
  user: string,
  database: string,
): Finding {
  const client = /for (?:replication connection from )?host "([^"]+)"/.exec(said)?.[1];
  const lines = (facts.hba ?? [])
    .map((l, i) => ({ text: l.trim(), number: i + 1 }))
    .filter((l) => l.text !== '' && !l.text.startsWith('#'));
  const rejecting = /rejects/.test(said) ? lines.find((l) => /\sreject\b/.test(l.text)) : undefined;
  const range = client === undefined ? '10.244.0.0/16' : podRange(facts, client);
  const line = `host ${database} ${user} ${range} scram-sha-256`;
  const pod = located.backends.find((b) => b.endpoint === 'ready')?.pod ?? located.backends[0]?.pod;
  const mounted = hbaConfigMap(facts, pod);
  const where =
    mounted === undefined
      ? `pg_hba.conf of pod ${pod === undefined ? '' : pathOf(pod)}`
      : `ConfigMap ${pathOf(mounted.map)} key ${mounted.key}`;
  const inConfigMap =
    mounted === undefined
      ? undefined
      : {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          namespace: namespaceOf(mounted.map),
          name: nameOf(mounted.map),
          field: `data["${mounted.key}"]`,
        };
  return finding('PgHbaRejected', {
    object: inConfigMap ?? (object === undefined ? undefined : { ...object, field: 'pg_hba.conf' }),
    message: `Postgres’ own access list turns the client away: ${JSON.stringify(said)}${rejecting === undefined ? '' : ` by line ${rejecting.number}: ${rejecting.text}`}`,
    evidence: [...read, ...lines.map((l) => evidence(`${where} line ${l.number}`, l.text))],
    cure:
      mounted !== undefined && pod !== undefined
        ? configMapCure(mounted, pod, line)
        : fileCure(pod, exec, line, rejecting?.number),
  });
}

/** First, so that no line before it turns the client away. */
function configMapCure(mounted: NonNullable<ReturnType<typeof hbaConfigMap>>, pod: Pod, line: string): Cure[] {
  const { map, key, text } = mounted;
  const owner = ownerOf(pod);
  const patch = `kubectl -n ${namespaceOf(map)} patch configmap ${nameOf(map)} --type=merge -p ${quote(JSON.stringify({ data: { [key]: `${line}\n${text}` } }))}`;
  return owner.prefix === ''
    ? [command(patch), note(`then make pod ${pathOf(pod)} again`)]
    : [command(`${patch} && kubectl -n ${owner.namespace} rollout restart ${owner.ref}`)];
}

/** The running server reads the list again at SIGHUP; the image's server is the container's first process. */
function fileCure(pod: Pod | undefined, exec: string | undefined, line: string, at: number | undefined): Cure[] {
  if (exec === undefined) return [note(`add to pg_hba.conf and reload: ${line}`)];
  const find = `f=$(psql -U ${superuserOf(pod)} -d postgres -Atqc "show hba_file" 2>/dev/null || echo "$PGDATA/pg_hba.conf")`;
  const edit = at === undefined ? `echo "${line}" >> "$f"` : `sed -i "${at}i ${line}" "$f"`;
  return [
    command(`${exec} sh -c '${find}; ${edit}; kill -HUP 1'`),
    note(
      'a line added in the container is gone with its data: put it into the image, ConfigMap or init script as well',
    ),
  ];
}

function podRange(facts: Facts, client: string): string {
  const own = facts.objects.nodes.some(
    (n) =>
      n.spec?.podCIDR !== undefined &&
      client.split('.').slice(0, 2).join('.') === n.spec.podCIDR.split('.').slice(0, 2).join('.'),
  );
  return own ? `${client.split('.').slice(0, 2).join('.')}.0.0/16` : `${client}/${client.includes(':') ? 128 : 32}`;
}

/** Whom initdb made: by the images' variable, else postgres. */
export function superuserOf(pod: Pod | undefined): string {
  const variables = (pod?.spec?.containers ?? []).flatMap((c) => c.env ?? []);
  return variables.find((v) => v.name === 'POSTGRES_USER')?.value ?? 'postgres';
}

/** The list as a file of a ConfigMap: mended there, or the next start brings the old one back. */
function hbaConfigMap(facts: Facts, pod: Pod | undefined) {
  for (const c of pod?.spec?.containers ?? []) {
    const words = [...(c.command ?? []), ...(c.args ?? [])];
    const path = words.map((a) => /hba_file=['"]?([^'"\s]+)/.exec(a)?.[1]).find((p) => p !== undefined);
    for (const mount of c.volumeMounts ?? []) {
      const name = pod?.spec?.volumes?.find((v) => v.name === mount.name)?.configMap?.name;
      const map = facts.objects.configMaps.find((m) => nameOf(m) === name && namespaceOf(m) === namespaceOf(pod!));
      const isList = (key: string) =>
        path === undefined
          ? key === 'pg_hba.conf'
          : path === mount.mountPath || path === `${mount.mountPath.replace(/\/$/, '')}/${key}`;
      const key = Object.keys(map?.data ?? {}).find(isList);
      if (map !== undefined && key !== undefined) return { map, key, text: map.data![key]! };
    }
  }
  return undefined;
}

/** Over stdin, since a password in the arguments is everybody's to read; PGPASSWORD is the one that the client uses. */
export function setPassword(pod: Pod, superuser: string, statement: string): Cure[] {
  const into = `kubectl -n ${namespaceOf(pod)} exec -i ${nameOf(pod)} -- psql -U ${superuser} -d postgres`;
  return [
    command(`printf "%s '%s';" ${quote(statement)} "\${PGPASSWORD:?}" | ${into}`),
    note('PGPASSWORD in your shell is the password that the client uses'),
  ];
}
