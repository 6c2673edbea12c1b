import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Container, Pod } from '#generated/api/core-v1.ts';
import { clientEnvironment, credentialsOf, productOf, type ReadValues } from './credentials.ts';

const pod = (container: Partial<Container>, volumes: readonly object[] = []): Pod =>
  ({
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'postgres:15', ...container }], volumes },
  }) as unknown as Pod;

const objects: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'Secret/login': { user: 'clerk', password: 'pepper', POSTGRES_PASSWORD: 'salt' },
  'ConfigMap/settings': { POSTGRES_DB: 'orders' },
};
const read: ReadValues = async (kind, name) => objects[`${kind}/${name}`];
const nothing: ReadValues = async () => undefined;
const key = (name: string) => ({ secretKeyRef: { name: 'login', key: name } });

describe('credentialsOf', () => {
  it('reads literal values and keys of Secrets', async () => {
    const env = [
      { name: 'POSTGRES_USER', valueFrom: key('user') },
      { name: 'POSTGRES_PASSWORD', valueFrom: key('password') },
      { name: 'POSTGRES_DB', value: 'orders' },
    ];
    assert.deepEqual(await credentialsOf(pod({ env }), 'postgres', read), {
      user: 'clerk',
      password: 'pepper',
      database: 'orders',
    });
    assert.deepEqual(await credentialsOf(pod({ env }), 'postgres', nothing), { database: 'orders' });
  });

  it('reads whole Secrets and ConfigMaps, and takes the image’s own user', async () => {
    const envFrom = [{ secretRef: { name: 'login' } }, { configMapRef: { name: 'settings' } }];
    assert.deepEqual(await credentialsOf(pod({ envFrom }), 'postgres', read), {
      user: 'postgres',
      password: 'salt',
      database: 'orders',
    });
  });

  it('follows a file into the Secret that is mounted there', async () => {
    const container = {
      env: [{ name: 'POSTGRES_PASSWORD_FILE', value: '/run/secrets/db/pw' }],
      volumeMounts: [{ name: 's', mountPath: '/run/secrets/db' }],
    };
    const volumes = [{ name: 's', secret: { secretName: 'login', items: [{ key: 'password', path: 'pw' }] } }];
    assert.equal((await credentialsOf(pod(container, volumes), 'postgres', read)).password, 'pepper');
  });

  it('knows whom MySQL’s root password is for', async () => {
    const env = [{ name: 'MYSQL_ROOT_PASSWORD', valueFrom: key('password') }];
    assert.deepEqual(await credentialsOf(pod({ env }), 'mysql', read), { user: 'root', password: 'pepper' });
  });
});

describe('productOf', () => {
  it('goes by the port, then by the image', () => {
    assert.equal(productOf(pod({}), 3306), 'mysql');
    assert.equal(productOf(pod({}), 15432), 'postgres');
    assert.equal(productOf(pod({ image: 'nginx' }), 80), undefined);
  });
});

describe('clientEnvironment', () => {
  it('has what psql reads, and only what is known', () =>
    assert.deepEqual(clientEnvironment('postgres', '127.0.0.1', 15432, { user: 'clerk' }), {
      CORACLE_CONNECT_HOST: '127.0.0.1',
      CORACLE_CONNECT_PORT: '15432',
      PGHOST: '127.0.0.1',
      PGPORT: '15432',
      PGUSER: 'clerk',
    }));
});
