// Servers and clients that do not agree about TLS.
import type { Client, Scenario } from '../scenario.ts';
import {
  authority,
  clientWith,
  configMap,
  curl,
  nginx,
  postgres,
  program,
  redis,
  rolledOut,
  say,
  tlsSecret,
} from '../servers.ts';
import { psql, service, type World } from '../world.ts';

const HTTPS = 'listen 443 ssl; ssl_certificate /tls/tls.crt; ssl_certificate_key /tls/tls.key;';
const url = (svc: string, more = '') => `postgres://shop:shop@${svc}:5432/shop${more}`;
const pg = (on: string, svc: string, env: Readonly<Record<string, string>>): Client => ({
  on,
  command: psql(svc, 5432, env),
});

interface Pieces {
  readonly server: string;
  readonly svc: string;
  readonly client: string;
}

/** A Deployment `server` behind Service `svc` on `port`, and a client with the files of ConfigMap `trust` in /trust. */
async function pieces(
  world: World,
  port: number,
  make: (names: {
    readonly server: string;
    readonly svc: string;
  }) => Promise<Readonly<Record<string, string>> | undefined>,
): Promise<Pieces> {
  const [server, svc] = [world.word(), world.word()];
  const trust = await make({ server, svc });
  await world.apply(service(svc, { app: server }, [{ port }]));
  if (trust !== undefined) await world.apply(configMap('trust', trust));
  const client = await clientWith(world, trust === undefined ? {} : { files: { trust: '/trust' } });
  await rolledOut(world, server);
  return { server, svc, client };
}

const tlsProgram = (options: string, body: string, kind = 'https') =>
  `const fs = require('fs'); require('${kind}').createServer({ key: fs.readFileSync('/tls/tls.key'), cert: fs.readFileSync('/tls/tls.crt'), ${options} }, ${body})`;

const at = (server: string, code: string) => ({ code, kind: 'Deployment', name: server });

export const TLS_SCENARIOS: readonly Scenario[] = [
  {
    code: 'TLSRequiredByServer',
    title: 'PostgreSQL with hostssl lines alone, the client with sslmode=disable',
    async make(world) {
      const { server, svc, client } = await pieces(world, 5432, async (n) => {
        const ca = await authority('ca');
        await postgres(world, n.server, {
          certificate: await ca.server([n.svc]),
          hba: ['local all all trust', 'host all all 127.0.0.1/32 trust', 'hostssl all all all scram-sha-256'],
        });
        return undefined;
      });
      return {
        why: [url(svc, '?sslmode=disable'), '--from', `pod/${client}`],
        client: pg(client, svc, { PGSSLMODE: 'disable' }),
        symptom: /no encryption/,
        expected: at(server, 'TLSRequiredByServer'),
        afterCure: pg(client, svc, { PGSSLMODE: 'require' }),
      };
    },
  },
  {
    code: 'TLSRequiredByServer',
    title: 'http:// to the HTTPS port of nginx',
    async make(world) {
      const { server, svc, client } = await pieces(world, 443, async (n) => {
        const ca = await authority('ca');
        await nginx(world, n.server, HTTPS, { port: 443, certificate: await ca.server([n.svc]) });
        return undefined;
      });
      return {
        why: [`http://${svc}:443/`, '--from', `pod/${client}`],
        client: curl(client, `http://${svc}:443/`),
        symptom: /400/,
        expected: at(server, 'TLSRequiredByServer'),
        afterCure: curl(client, `https://${svc}/`, '-k'),
      };
    },
  },
  {
    code: 'TLSRequiredByServer',
    title: 'redis:// to a Redis that speaks TLS only',
    async make(world) {
      const { server, svc, client } = await pieces(world, 6379, async (n) => {
        const ca = await authority('ca');
        await world.apply(tlsSecret(`${n.server}-tls`, await ca.server([n.svc])));
        const options = "{ key: fs.readFileSync('/tls/tls.key'), cert: fs.readFileSync('/tls/tls.crt') }";
        await program(world, n.server, 6379, redis(6379, {}, '', 'tls', options), {
          secrets: { [`${n.server}-tls`]: '/tls' },
        });
        return undefined;
      });
      return {
        why: [`redis://${svc}:6379`, '--from', `pod/${client}`],
        client: say(client, svc, 6379, 'PING\\r\\n', /PONG/),
        expected: at(server, 'TLSRequiredByServer'),
        afterCure: {
          on: client,
          command: [
            'bash',
            '-c',
            `(printf 'PING\\r\\n'; sleep 1) | timeout 4 openssl s_client -quiet -connect ${svc}:6379 2>/dev/null; true`,
          ],
          works: /PONG/,
        },
      };
    },
  },
  {
    code: 'TLSNotOffered',
    title: 'PostgreSQL without TLS, sslmode=require',
    async make(world) {
      const { server, svc, client } = await pieces(world, 5432, async (n) => {
        await postgres(world, n.server);
        return undefined;
      });
      return {
        why: [url(svc, '?sslmode=require'), '--from', `pod/${client}`],
        client: pg(client, svc, { PGSSLMODE: 'require' }),
        symptom: /does not support SSL/,
        expected: at(server, 'TLSNotOffered'),
        afterCure: pg(client, svc, { PGSSLMODE: 'disable' }),
      };
    },
  },
  {
    code: 'TLSNotOffered',
    title: 'https:// to the HTTP port of nginx',
    async make(world) {
      const { server, svc, client } = await pieces(world, 80, async (n) => {
        await nginx(world, n.server, 'listen 80;');
        return undefined;
      });
      return {
        why: [`https://${svc}:80/`, '--from', `pod/${client}`],
        client: curl(client, `https://${svc}:80/`, '-k'),
        symptom: /SSL|wrong version/i,
        expected: at(server, 'TLSNotOffered'),
        afterCure: curl(client, `http://${svc}/`),
      };
    },
  },
  {
    code: 'TLSNotOffered',
    title: 'rediss:// to a Redis without TLS',
    async make(world) {
      const { server, svc, client } = await pieces(world, 6379, async (n) => {
        await program(world, n.server, 6379, redis(6379, {}));
        return undefined;
      });
      return {
        why: [`rediss://${svc}:6379`, '--from', `pod/${client}`],
        client: {
          on: client,
          command: ['bash', '-c', `printf 'PING\\r\\n' | timeout 4 openssl s_client -quiet -connect ${svc}:6379`],
          works: /PONG/,
        },
        expected: at(server, 'TLSNotOffered'),
        afterCure: say(client, svc, 6379, 'PING\\r\\n', /PONG/),
      };
    },
  },
  ...[
    { title: 'PostgreSQL with a certificate for the long name', mode: 'verify-full', long: true },
    { title: 'PostgreSQL with a certificate for a public name', mode: 'verify-full', long: false },
  ].map(
    ({ title, mode, long }): Scenario => ({
      code: 'TLSNameMismatch',
      title,
      async make(world) {
        const publicName = `${world.word()}.example.com`;
        const { server, svc, client } = await pieces(world, 5432, async (n) => {
          const ca = await authority('ca');
          const name = long ? `${n.svc}.${world.namespace}.svc.cluster.local` : publicName;
          await postgres(world, n.server, { certificate: await ca.server([name]) });
          return { 'ca.crt': ca.certificate };
        });
        const env = { PGSSLMODE: mode, PGSSLROOTCERT: '/trust/ca.crt' };
        return {
          why: [url(svc, `?sslmode=${mode}&sslrootcert=/trust/ca.crt`), '--from', `pod/${client}`],
          client: pg(client, svc, env),
          symptom: /does not match host name/,
          expected: at(server, 'TLSNameMismatch'),
          ...(long
            ? { afterCure: pg(client, `${svc}.${world.namespace}.svc.cluster.local`, env) }
            : { incurable: 'a certificate is issued by its authority' }),
        };
      },
    }),
  ),
  {
    code: 'TLSNameMismatch',
    title: 'a TLS server whose certificate has an old Service’s name',
    async make(world) {
      const old = world.word();
      const { server, svc, client } = await pieces(world, 8443, async (n) => {
        const ca = await authority('ca');
        await world.apply(tlsSecret(`${n.server}-tls`, await ca.server([old])));
        await program(
          world,
          n.server,
          8443,
          `${tlsProgram('', "(s) => s.on('error', () => {}).end('hello')", 'tls')}.listen(8443)`,
          {
            secrets: { [`${n.server}-tls`]: '/tls' },
          },
        );
        await world.apply(service(old, { app: n.server }, [{ port: 8443 }]));
        return { 'ca.crt': ca.certificate };
      });
      const ask = (name: string): Client => ({
        on: client,
        command: [
          'openssl',
          's_client',
          '-connect',
          `${name}:8443`,
          '-CAfile',
          '/trust/ca.crt',
          '-verify_return_error',
          '-verify_hostname',
          name,
        ],
      });
      return {
        why: [`tls://${svc}:8443?sslrootcert=/trust/ca.crt`, '--from', `pod/${client}`],
        client: ask(svc),
        symptom: /mismatch/i,
        expected: at(server, 'TLSNameMismatch'),
        afterCure: ask(old),
      };
    },
  },
  {
    code: 'TLSUntrusted',
    title: 'PostgreSQL with an authority that the client was not given',
    async make(world) {
      const { server, svc, client } = await pieces(world, 5432, async (n) => {
        const [ca, other] = [await authority('ca'), await authority('other')];
        await postgres(world, n.server, { certificate: await ca.server([n.svc]) });
        return { 'ca.crt': ca.certificate, 'other.crt': other.certificate };
      });
      return {
        why: [url(svc, '?sslmode=verify-ca&sslrootcert=/trust/other.crt'), '--from', `pod/${client}`],
        client: pg(client, svc, { PGSSLMODE: 'verify-ca', PGSSLROOTCERT: '/trust/other.crt' }),
        symptom: /certificate verify failed/,
        expected: at(server, 'TLSUntrusted'),
        afterCure: pg(client, svc, { PGSSLMODE: 'verify-ca', PGSSLROOTCERT: '/trust/ca.crt' }),
      };
    },
  },
  {
    code: 'TLSUntrusted',
    title: 'https:// to nginx with a certificate of its own authority',
    async make(world) {
      const { server, svc, client } = await pieces(world, 443, async (n) => {
        const ca = await authority('ca');
        await nginx(world, n.server, HTTPS, { port: 443, certificate: await ca.server([n.svc]) });
        return { 'ca.crt': ca.certificate };
      });
      return {
        why: [`https://${svc}/`, '--from', `pod/${client}`],
        client: curl(client, `https://${svc}/`),
        symptom: /certificate/,
        expected: at(server, 'TLSUntrusted'),
        afterCure: curl(client, `https://${svc}/`, '--cacert', '/trust/ca.crt'),
      };
    },
  },
  {
    code: 'TLSUntrusted',
    title: 'rediss:// to a Redis with a certificate of its own authority',
    async make(world) {
      const { server, svc, client } = await pieces(world, 6380, async (n) => {
        const ca = await authority('ca');
        await world.apply(tlsSecret(`${n.server}-tls`, await ca.server([n.svc])));
        const options = "{ key: fs.readFileSync('/tls/tls.key'), cert: fs.readFileSync('/tls/tls.crt') }";
        await program(world, n.server, 6380, redis(6380, {}, '', 'tls', options), {
          secrets: { [`${n.server}-tls`]: '/tls' },
        });
        return { 'ca.crt': ca.certificate };
      });
      const ask = (...more: string[]): Client => ({
        on: client,
        command: [
          'bash',
          '-c',
          `(printf 'PING\\r\\n'; sleep 1) | timeout 4 openssl s_client -quiet -verify_return_error -connect ${svc}:6380 ${more.join(' ')}; true`,
        ],
        works: /PONG/,
      });
      return {
        why: [`rediss://${svc}:6380`, '--from', `pod/${client}`],
        client: ask(),
        symptom: /verify error|self-signed/,
        expected: at(server, 'TLSUntrusted'),
        afterCure: ask('-CAfile', '/trust/ca.crt'),
      };
    },
  },
  ...[
    { title: 'PostgreSQL with a certificate of last year', days: [-400, -30] as const, postgresql: true },
    { title: 'PostgreSQL with a certificate of next month', days: [20, 400] as const, postgresql: true },
    { title: 'a TLS server whose certificate ended yesterday', days: [-90, -1] as const, postgresql: false },
  ].map(
    ({ title, days, postgresql }): Scenario => ({
      code: 'TLSExpired',
      title,
      async make(world) {
        const port = postgresql ? 5432 : 9443;
        const { server, svc, client } = await pieces(world, port, async (n) => {
          const ca = await authority('ca');
          const certificate = await ca.server([n.svc], days);
          if (postgresql) await postgres(world, n.server, { certificate });
          else {
            await world.apply(tlsSecret(`${n.server}-tls`, certificate));
            await program(
              world,
              n.server,
              port,
              `${tlsProgram('', "(s) => s.on('error', () => {}).end('hello')", 'tls')}.listen(${port})`,
              {
                secrets: { [`${n.server}-tls`]: '/tls' },
              },
            );
          }
          return { 'ca.crt': ca.certificate };
        });
        const query = 'sslmode=verify-full&sslrootcert=/trust/ca.crt';
        return {
          why: [
            postgresql ? url(svc, `?${query}`) : `tls://${svc}:${port}?sslrootcert=/trust/ca.crt`,
            '--from',
            `pod/${client}`,
          ],
          client: postgresql
            ? pg(client, svc, { PGSSLMODE: 'verify-full', PGSSLROOTCERT: '/trust/ca.crt' })
            : {
                on: client,
                command: [
                  'openssl',
                  's_client',
                  '-connect',
                  `${svc}:${port}`,
                  '-CAfile',
                  '/trust/ca.crt',
                  '-verify_return_error',
                ],
              },
          symptom: /expired|not yet valid|certificate verify failed/,
          expected: at(server, 'TLSExpired'),
          incurable: 'a certificate is renewed by its authority',
        };
      },
    }),
  ),
  {
    code: 'TLSClientCertificateRequired',
    title: 'PostgreSQL with clientcert=verify-full',
    async make(world) {
      const { server, svc, client } = await pieces(world, 5432, async (n) => {
        const ca = await authority('ca');
        const pair = await ca.client('shop');
        await postgres(world, n.server, {
          certificate: await ca.server([n.svc]),
          clientAuthority: ca.certificate,
          hba: [
            'local all all trust',
            'host all all 127.0.0.1/32 trust',
            'hostssl all all all scram-sha-256 clientcert=verify-full',
          ],
        });
        return { 'client.crt': pair.certificate, 'client.key': pair.key };
      });
      return {
        why: [url(svc, '?sslmode=require'), '--from', `pod/${client}`],
        client: pg(client, svc, { PGSSLMODE: 'require' }),
        symptom: /valid client certificate/,
        expected: at(server, 'TLSClientCertificateRequired'),
        afterCure: pg(client, svc, {
          PGSSLMODE: 'require',
          PGSSLCERT: '/trust/client.crt',
          PGSSLKEY: '/trust/client.key',
        }),
      };
    },
  },
  {
    code: 'TLSClientCertificateRequired',
    title: 'an HTTPS server that ends the handshake without a client’s certificate',
    async make(world) {
      const { server, svc, client } = await pieces(world, 443, async (n) => {
        const ca = await authority('ca');
        const pair = await ca.client('shop');
        await world.apply(tlsSecret(`${n.server}-tls`, await ca.server([n.svc]), ca.certificate));
        await program(
          world,
          n.server,
          443,
          `${tlsProgram("ca: fs.readFileSync('/tls/ca.crt'), requestCert: true, rejectUnauthorized: true", "(q, r) => r.end('hello')")}.listen(443)`,
          { secrets: { [`${n.server}-tls`]: '/tls' } },
        );
        return { 'ca.crt': ca.certificate, 'client.crt': pair.certificate, 'client.key': pair.key };
      });
      return {
        why: [`https://${svc}/?sslrootcert=/trust/ca.crt`, '--from', `pod/${client}`],
        client: curl(client, `https://${svc}/`, '--cacert', '/trust/ca.crt'),
        symptom: /certificate|alert|reset|recv failure|SSL/i,
        expected: at(server, 'TLSClientCertificateRequired'),
        afterCure: curl(
          client,
          `https://${svc}/`,
          '--cacert',
          '/trust/ca.crt',
          '--cert',
          '/trust/client.crt',
          '--key',
          '/trust/client.key',
        ),
      };
    },
  },
  {
    code: 'TLSClientCertificateRequired',
    title: 'nginx with ssl_verify_client on',
    async make(world) {
      const { server, svc, client } = await pieces(world, 443, async (n) => {
        const ca = await authority('ca');
        const pair = await ca.client('shop');
        await nginx(world, n.server, `${HTTPS} ssl_client_certificate /tls/ca.crt; ssl_verify_client on;`, {
          port: 443,
          certificate: await ca.server([n.svc]),
          clientAuthority: ca.certificate,
        });
        return { 'ca.crt': ca.certificate, 'client.crt': pair.certificate, 'client.key': pair.key };
      });
      return {
        why: [`https://${svc}/?sslrootcert=/trust/ca.crt`, '--from', `pod/${client}`],
        client: curl(client, `https://${svc}/`, '--cacert', '/trust/ca.crt'),
        symptom: /400/,
        expected: at(server, 'TLSClientCertificateRequired'),
        afterCure: curl(
          client,
          `https://${svc}/`,
          '--cacert',
          '/trust/ca.crt',
          '--cert',
          '/trust/client.crt',
          '--key',
          '/trust/client.key',
        ),
      };
    },
  },
];
