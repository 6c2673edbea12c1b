// User, password and database of a server, from the environment its own containers are given: literal values, and keys of Secrets and
// ConfigMaps that the user may read. They go into the environment of the client's command and nowhere else.
import type { Container, Pod } from '#generated/api/core-v1.ts';

export type Product = 'postgres' | 'mysql' | 'redis' | 'mongodb' | 'amqp';

export interface Credentials {
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
}

/** Values of a Secret or ConfigMap, decoded; undefined when it is missing or may not be read. */
export type ReadValues = (
  kind: 'Secret' | 'ConfigMap',
  name: string,
) => Promise<Readonly<Record<string, string>> | undefined>;

/** Names that images read, in the order of preference. */
const NAMES: Readonly<Record<Product, Readonly<Record<keyof Credentials, readonly string[]>>>> = {
  postgres: {
    user: ['POSTGRES_USER', 'POSTGRESQL_USERNAME', 'POSTGRESQL_USER', 'PGUSER'],
    password: ['POSTGRES_PASSWORD', 'POSTGRESQL_PASSWORD', 'POSTGRESQL_POSTGRES_PASSWORD', 'PGPASSWORD'],
    database: ['POSTGRES_DB', 'POSTGRESQL_DATABASE', 'PGDATABASE'],
  },
  mysql: {
    user: ['MYSQL_USER', 'MARIADB_USER'],
    password: ['MYSQL_PASSWORD', 'MARIADB_PASSWORD', 'MYSQL_ROOT_PASSWORD', 'MARIADB_ROOT_PASSWORD'],
    database: ['MYSQL_DATABASE', 'MARIADB_DATABASE'],
  },
  redis: { user: ['REDIS_USERNAME'], password: ['REDIS_PASSWORD', 'REDIS_PASS'], database: [] },
  mongodb: {
    user: ['MONGO_INITDB_ROOT_USERNAME', 'MONGODB_USERNAME', 'MONGODB_ROOT_USER'],
    password: ['MONGO_INITDB_ROOT_PASSWORD', 'MONGODB_PASSWORD', 'MONGODB_ROOT_PASSWORD'],
    database: ['MONGO_INITDB_DATABASE', 'MONGODB_DATABASE'],
  },
  amqp: {
    user: ['RABBITMQ_DEFAULT_USER', 'RABBITMQ_USERNAME'],
    password: ['RABBITMQ_DEFAULT_PASS', 'RABBITMQ_PASSWORD'],
    database: ['RABBITMQ_DEFAULT_VHOST'],
  },
};

const PORTS: Readonly<Record<number, Product>> = {
  5432: 'postgres',
  6432: 'postgres',
  3306: 'mysql',
  6379: 'redis',
  27_017: 'mongodb',
  5672: 'amqp',
  5671: 'amqp',
};
const IMAGES: readonly (readonly [RegExp, Product])[] = [
  [/postgres|pgbouncer|timescale|cloudnative-pg/, 'postgres'],
  [/mysql|mariadb|percona/, 'mysql'],
  [/redis|valkey/, 'redis'],
  [/mongo/, 'mongodb'],
  [/rabbitmq/, 'amqp'],
];

/** By the port, else by the name of an image. */
export function productOf(pod: Pod, port: number | undefined): Product | undefined {
  const known = port === undefined ? undefined : PORTS[port];
  if (known !== undefined) return known;
  const images = (pod.spec?.containers ?? []).map((c) => c.image ?? '');
  return IMAGES.find(([pattern]) => images.some((image) => pattern.test(image)))?.[1];
}

export async function credentialsOf(pod: Pod, product: Product, read: ReadValues): Promise<Credentials> {
  const env = new Map<string, string>();
  for (const container of pod.spec?.containers ?? []) {
    for (const [name, value] of await environmentOf(container, pod, read)) if (!env.has(name)) env.set(name, value);
  }
  const first = (names: readonly string[]) => names.map((n) => env.get(n)).find((v) => v !== undefined && v !== '');
  const names = NAMES[product];
  const [user, password, database] = [first(names.user), first(names.password), first(names.database)];
  const named = user ?? (password === undefined ? undefined : defaultUser(product, names.password, env));
  return {
    ...(named === undefined ? {} : { user: named }),
    ...(password === undefined ? {} : { password }),
    ...(database === undefined ? {} : { database }),
  };
}

/** Whom an image's password is for when no user is named. */
function defaultUser(
  product: Product,
  passwords: readonly string[],
  env: ReadonlyMap<string, string>,
): string | undefined {
  if (product === 'postgres') return 'postgres';
  if (product !== 'mysql') return undefined;
  const used = passwords.find((n) => env.has(n));
  return used?.includes('ROOT') === true ? 'root' : undefined;
}

/** What a container is started with, as far as it can be read. `NAME_FILE` is followed into a mounted Secret. */
async function environmentOf(container: Container, pod: Pod, read: ReadValues): Promise<ReadonlyMap<string, string>> {
  const out = new Map<string, string>();
  for (const { prefix = '', secretRef, configMapRef } of container.envFrom ?? []) {
    const values =
      secretRef?.name !== undefined
        ? await read('Secret', secretRef.name)
        : configMapRef?.name !== undefined
          ? await read('ConfigMap', configMapRef.name)
          : undefined;
    for (const [name, value] of Object.entries(values ?? {})) out.set(`${prefix}${name}`, value);
  }
  for (const { name, value, valueFrom } of container.env ?? []) {
    const secret = valueFrom?.secretKeyRef;
    const map = valueFrom?.configMapKeyRef;
    const found =
      secret?.name !== undefined
        ? (await read('Secret', secret.name))?.[secret.key]
        : map?.name !== undefined
          ? (await read('ConfigMap', map.name))?.[map.key]
          : value;
    if (found !== undefined) out.set(name, found);
  }
  for (const [name, path] of [...out]) {
    if (!name.endsWith('_FILE')) continue;
    const value = await fileOf(path, container, pod, read);
    if (value !== undefined) out.set(name.slice(0, -'_FILE'.length), value.trimEnd());
  }
  return out;
}

/** A file that a Secret's volume puts into the container. */
async function fileOf(path: string, container: Container, pod: Pod, read: ReadValues): Promise<string | undefined> {
  const mount = container.volumeMounts?.find(
    (m) => path.startsWith(`${m.mountPath.replace(/\/$/, '')}/`) || path === m.mountPath,
  );
  const secret = pod.spec?.volumes?.find((v) => v.name === mount?.name)?.secret;
  if (mount === undefined || secret?.secretName === undefined) return undefined;
  const inside = mount.subPath ?? path.slice(mount.mountPath.replace(/\/$/, '').length + 1);
  const key = secret.items?.find((i) => i.path === inside)?.key ?? inside;
  return (await read('Secret', secret.secretName))?.[key];
}

/** What clients of a product read from their environment. */
export function clientEnvironment(
  product: Product | undefined,
  host: string,
  port: number,
  { user, password, database }: Credentials,
): Readonly<Record<string, string>> {
  const some = (values: Readonly<Record<string, string | undefined>>) =>
    Object.fromEntries(Object.entries(values).filter(([, v]) => v !== undefined)) as Record<string, string>;
  const everywhere = { CORACLE_CONNECT_HOST: host, CORACLE_CONNECT_PORT: String(port) };
  const at = String(port);
  switch (product) {
    case 'postgres':
      return {
        ...everywhere,
        ...some({ PGHOST: host, PGPORT: at, PGUSER: user, PGPASSWORD: password, PGDATABASE: database }),
      };
    case 'mysql':
      return {
        ...everywhere,
        ...some({
          MYSQL_HOST: host,
          MYSQL_TCP_PORT: at,
          MYSQL_USER: user,
          MYSQL_PWD: password,
          MYSQL_PASSWORD: password,
          MYSQL_DATABASE: database,
        }),
      };
    case 'redis':
      return {
        ...everywhere,
        ...some({
          REDIS_HOST: host,
          REDIS_PORT: at,
          REDISCLI_AUTH: password,
          REDIS_USERNAME: user,
          REDIS_PASSWORD: password,
        }),
      };
    case 'mongodb':
      return {
        ...everywhere,
        ...some({
          MONGODB_HOST: host,
          MONGODB_PORT: at,
          MONGODB_USERNAME: user,
          MONGODB_PASSWORD: password,
          MONGODB_DATABASE: database,
        }),
      };
    case 'amqp':
      return {
        ...everywhere,
        ...some({
          RABBITMQ_HOST: host,
          RABBITMQ_PORT: at,
          RABBITMQ_USERNAME: user,
          RABBITMQ_PASSWORD: password,
          RABBITMQ_VHOST: database,
        }),
      };
    case undefined:
      return everywhere;
  }
}
