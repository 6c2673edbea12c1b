// The one list of what a probe speaks.
import type { Random } from '#base/random.ts';
import type { Line, Spoken } from './line.ts';
import type { ProbeProtocol } from './result.ts';
import { speakAmqp } from './protocols/amqp.ts';
import { speakGrpc } from './protocols/grpc.ts';
import { speakHttp } from './protocols/http.ts';
import { speakMongodb } from './protocols/mongodb.ts';
import { speakMysql } from './protocols/mysql.ts';
import { speakPostgres } from './protocols/postgres.ts';
import { speakRedis } from './protocols/redis.ts';
import { speakTcp, speakTls } from './protocols/tcp.ts';

/** Speaks over a connection that stands; never throws for what the server does. */
export type Speak = (line: Line, random: Random) => Promise<Spoken>;

/** By name; the order means nothing. UDP has no connection and is spoken apart. */
const PROTOCOLS: Readonly<Record<Exclude<ProbeProtocol, 'udp'>, Speak>> = {
  tcp: speakTcp,
  tls: speakTls,
  postgres: speakPostgres,
  mysql: speakMysql,
  redis: speakRedis,
  amqp: speakAmqp,
  mongodb: speakMongodb,
  http: speakHttp,
  grpc: speakGrpc,
};

export const speak: Speak = (line, random) =>
  PROTOCOLS[line.request.protocol as Exclude<ProbeProtocol, 'udp'>](line, random);
