// Ports that are plainly not for HTTP: an Ingress will not route Postgres, and says so.
import type { ServicePort } from '#generated/api/core-v1.ts';
import { protocolOf } from './ingress-annotations.ts';

/** Protocols that an Ingress cannot route, by what names them. */
const OTHER_PROTOCOLS: readonly { readonly name: string; readonly ports: readonly number[]; readonly words: RegExp }[] =
  [
    { name: 'PostgreSQL', ports: [5432, 6432], words: /^(postgres(ql)?|pgsql|pgbouncer)$/ },
    { name: 'MySQL', ports: [3306], words: /^(mysql|mariadb)$/ },
    { name: 'Redis', ports: [6379], words: /^(redis|valkey)$/ },
    { name: 'MongoDB', ports: [27017], words: /^mongo(db)?$/ },
    { name: 'AMQP', ports: [5671, 5672], words: /^amqps?$/ },
    { name: 'Kafka', ports: [9092], words: /^kafka$/ },
    { name: 'Memcached', ports: [11211], words: /^memcached?$/ },
    { name: 'Microsoft SQL Server', ports: [1433], words: /^(mssql|ms-sql-s)$/ },
    { name: 'MQTT', ports: [1883, 8883], words: /^mqtts?$/ },
    { name: 'NATS', ports: [4222], words: /^nats$/ },
    { name: 'SMTP', ports: [25, 587], words: /^smtps?$/ },
    { name: 'SSH', ports: [22], words: /^ssh$/ },
    { name: 'LDAP', ports: [389, 636], words: /^ldaps?$/ },
  ];

/** The protocol a port plainly is for, when that is not HTTP. An appProtocol that is HTTP settles it. */
export function nonHttpProtocol(port: ServicePort): string | undefined {
  const app = port.appProtocol ?? '';
  if (protocolOf(app) !== undefined) return undefined;
  const words = [app.split('/').at(-1)!.toLowerCase(), (port.name ?? '').replace(/^tcp-/, '')];
  const found =
    OTHER_PROTOCOLS.find((o) => words.some((w) => o.words.test(w))) ??
    OTHER_PROTOCOLS.find((o) => o.ports.includes(port.port) || o.ports.includes(Number(port.targetPort)));
  return found?.name ?? (app.toLowerCase() === 'tcp' ? 'plain TCP' : undefined);
}
