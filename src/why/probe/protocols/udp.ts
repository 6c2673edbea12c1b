// UDP: one datagram to each address. An answer is a connection, an ICMP error a refusal, and silence says nothing.
import { encodeQuery, TYPES } from '#netmodel/dns-wire.ts';
import type { ConnectAttempt, HandshakeAttempt, ProbeRequest } from '../result.ts';
import { hexOf } from '../looks-like.ts';
import type { ProbeDeps } from '../run-probe.ts';

const DNS_PORT = 53;
/** Where nothing comes within this time, nothing is said by waiting longer. */
const SILENCE_MS = 1_000;

export async function speakUdp(
  addresses: readonly string[],
  request: ProbeRequest,
  { sockets, clock, random }: ProbeDeps,
): Promise<{ readonly connects: readonly ConnectAttempt[]; readonly handshake: HandshakeAttempt | undefined }> {
  // A name server answers a question; others get an empty datagram, which says nothing and disturbs nobody.
  const bytes =
    request.port === DNS_PORT ? encodeQuery(Math.floor(random.next() * 65_536), '', TYPES.NS) : new Uint8Array();
  const timeoutMs = Math.min(SILENCE_MS, request.timeoutMs);
  let answer: Uint8Array | undefined;
  const connects = await Promise.all(
    addresses.map(async (address): Promise<ConnectAttempt> => {
      const started = clock.monotonic();
      const got = await sockets.datagram(address, request.port, bytes, timeoutMs);
      const common = { address, port: request.port, ms: Math.round(clock.monotonic() - started) };
      if (got.outcome === 'answer') {
        answer ??= got.bytes;
        return { ...common, outcome: 'connected', localAddress: got.localAddress ?? '' };
      }
      if (got.outcome === 'silence') return { ...common, outcome: 'timeout' };
      return { ...common, outcome: got.outcome, ...(got.errno === undefined ? {} : { errno: got.errno }) };
    }),
  );
  if (answer !== undefined) return { connects, handshake: { outcome: 'ready', bytes: hexOf(answer) } };
  return { connects, handshake: connects.some((c) => c.outcome === 'timeout') ? { outcome: 'silent' } : undefined };
}
