// What the tests of the article ask its database.
import assert from 'node:assert/strict';
import pg from 'pg';
import type { Pod } from '#generated/api/core-v1.ts';
import type { Output, TestCluster } from '../cluster.ts';

export const PRIMARY_IP = '10.96.42.7';
export const PRIMARY_NAME = 'postgres-primary.db.svc.cluster.local';
const CONNECT_TIMEOUT_SECONDS = 3;

/** psql as the user `app`, over the network, from a client pod. */
export function psqlFrom(
  cluster: TestCluster,
  client: { readonly namespace: string; readonly name: string },
  host: string,
  sql: string,
): Promise<Output> {
  const env = ['env', 'PGPASSWORD=app-secret', `PGCONNECT_TIMEOUT=${CONNECT_TIMEOUT_SECONDS}`];
  return cluster.exec(client.namespace, client.name, [
    ...env,
    'psql',
    '-XAtq',
    '-v',
    'ON_ERROR_STOP=1',
    '-h',
    host,
    '-U',
    'app',
    '-d',
    'production',
    '-c',
    sql,
  ]);
}

/** The same, when it has to succeed: what psql prints. */
export async function query(
  cluster: TestCluster,
  client: { readonly namespace: string; readonly name: string },
  host: string,
  sql: string,
): Promise<string> {
  const output = await psqlFrom(cluster, client, host, sql);
  assert.equal(output.code, 0, `psql -h ${host} from ${client.namespace}/${client.name}: ${output.stderr}`);
  return output.stdout.trim();
}

/** psql as the superuser, on the socket inside a postgres pod. */
export function queryInside(cluster: TestCluster, pod: string, sql: string): Promise<string> {
  return cluster.mustExec('db', pod, [
    'psql',
    '-XAtq',
    '-v',
    'ON_ERROR_STOP=1',
    '-U',
    'postgres',
    '-d',
    'production',
    '-c',
    sql,
  ]);
}

/** One row over a forwarded port, by a client library on this machine. */
export async function queryForwarded(
  port: number,
  sql: string,
  user = { user: 'app', password: 'app-secret', database: 'production' },
): Promise<Record<string, unknown>> {
  const client = new pg.Client({ host: '127.0.0.1', port, ...user, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows[0]!;
  } finally {
    await client.end();
  }
}

export const postgres = (cluster: TestCluster, ordinal: number): Promise<Pod> =>
  cluster.get<Pod>('db', 'pod', `postgres-${ordinal}`);
