// A probe from where this process stands: resolve, connect, TLS, handshake. Bounded in time, writes nothing to the server that a
// client's first words do not, and logs in only as far as it was given credentials.
import type { Duplex } from 'node:stream';
import type { Clock } from '#base/clock.ts';
import { parseIP } from '#base/ip.ts';
import type { Random } from '#base/random.ts';
import { identify } from './identify.ts';
import { Line, type Spoken } from './line.ts';
import { speak } from './protocols.ts';
import { resolveName } from './resolve.ts';
import type { ConnectAttempt, ProbeRequest, ProbeResult } from './result.ts';
import type { ProbeSockets } from './sockets.ts';
import { speakUdp } from './protocols/udp.ts';

export interface ProbeDeps {
  readonly sockets: ProbeSockets;
  readonly clock: Clock;
  readonly random: Random;
  /** The place's own files; empty when there are none. */
  readonly resolvConf: () => string;
  readonly hosts: () => string;
  /** 53; tests serve elsewhere. */
  readonly dnsPort?: number;
}

/** Addresses that are tried: a headless service may have thousands. */
const MAX_ADDRESSES = 8;

export async function runProbe(request: ProbeRequest, deps: ProbeDeps): Promise<ProbeResult> {
  const { sockets, clock } = deps;
  const started = clock.monotonic();
  const host = request.host.replace(/^\[|\]$/g, '');
  const dns =
    parseIP(host) === undefined
      ? await resolveName(
          host,
          {
            resolvConf: request.resolvConf ?? deps.resolvConf(),
            hosts: request.hosts ?? deps.hosts(),
            timeoutMs: request.timeoutMs,
            ...(deps.dnsPort === undefined ? {} : { port: deps.dnsPort }),
          },
          deps,
        )
      : undefined;
  const addresses = (dns?.addresses ?? [host]).slice(0, MAX_ADDRESSES);
  const done = (connects: readonly ConnectAttempt[], spoken: Spoken = {}): ProbeResult => ({
    ...(dns === undefined ? {} : { dns }),
    connects,
    ...spoken,
    ms: Math.round(clock.monotonic() - started),
  });
  if (request.protocol === 'udp') {
    const { connects, handshake } = await speakUdp(addresses, request, deps);
    return done(connects, handshake === undefined ? {} : { handshake });
  }
  // All at once: each address is evidence, and those that swallow packets cost the time of one.
  const tried = await Promise.all(addresses.map((a) => sockets.connect(a, request.port, request.timeoutMs)));
  const connects = tried.map((t) => t.attempt);
  const [open, ...spare] = tried.filter((t) => t.socket !== undefined);
  for (const { socket } of spare) socket?.destroy();
  if (open?.socket === undefined) return done(connects);
  const line = new Line(open.socket, open.attempt.address, { ...request, host }, deps);
  try {
    return done(connects, await identify(line, await speak(line, deps.random)));
  } finally {
    await line.close();
  }
}

/** The protocol's first words over a connection that somebody else has made. It cannot be made again: what needs a second one ends. */
export async function speakOver(
  stream: Duplex,
  request: ProbeRequest,
  { sockets, clock, random }: Pick<ProbeDeps, 'sockets' | 'clock' | 'random'>,
): Promise<Spoken> {
  const address = request.host;
  const attempt: ConnectAttempt = {
    address,
    port: request.port,
    outcome: 'error',
    errno: 'no second connection',
    ms: 0,
  };
  const once: ProbeSockets = {
    connect: async () => ({ attempt }),
    secure: (...args) => sockets.secure(...args),
    http2: (...args) => sockets.http2(...args),
    datagram: async () => ({ outcome: 'error' }),
  };
  const line = new Line(stream, address, request, { sockets: once, clock });
  try {
    return await speak(line, random);
  } finally {
    await line.close();
  }
}
