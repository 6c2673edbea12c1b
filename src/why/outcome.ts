// Reads a probe: how far it got, and in which words it failed.
import { couldNot, type ProbeRun } from './facts.ts';
import type { ConnectAttempt, ProbeResult } from './probe/result.ts';
import type { Evidence } from './report.ts';

export interface Outcome {
  /** A probe was made and what it met is known. */
  readonly made: boolean;
  readonly failedAt: 'name' | 'connect' | 'tls' | 'handshake' | undefined;
  readonly connected: boolean;
  /** The worst-telling attempt, when none connected. */
  readonly connect: ConnectAttempt['outcome'] | undefined;
  readonly result: ProbeResult | undefined;
}

const unmade: Outcome = { made: false, failedAt: undefined, connected: false, connect: undefined, result: undefined };

const BROKEN_TLS: ReadonlySet<string> = new Set([
  'not-offered',
  'required',
  'untrusted',
  'expired',
  'name-mismatch',
  'client-certificate',
  'failed',
]);

const DEMANDS_TLS: ReadonlySet<string> = new Set(['require', 'verify-ca', 'verify-full']);

export function outcomeOf(run: ProbeRun | undefined): Outcome {
  if (run === undefined || couldNot(run.result)) return unmade;
  const { result } = run;
  const base = { made: true, connected: false, connect: undefined, result };
  if (result.dns !== undefined && result.dns.addresses.length === 0) return { ...base, failedAt: 'name' };
  const connected = result.connects.some((c) => c.outcome === 'connected');
  if (!connected) {
    const telling = result.connects.find((c) => c.outcome !== 'timeout') ?? result.connects[0];
    return { ...base, failedAt: 'connect', connect: telling?.outcome ?? 'error' };
  }
  const reached = { ...base, connected: true, connect: 'connected' as const };
  const { tls } = result;
  // With `prefer` a client goes on without.
  const isLax = tls?.outcome === 'not-offered' && !DEMANDS_TLS.has(run.request.tls?.mode ?? 'require');
  if (tls !== undefined && BROKEN_TLS.has(tls.outcome) && !isLax) return { ...reached, failedAt: 'tls' };
  const shook = result.handshake?.outcome;
  const fine = shook === undefined || shook === 'ready' || shook === 'auth-wanted';
  return { ...reached, failedAt: fine ? undefined : 'handshake' };
}

export function describeRun(run: ProbeRun): readonly Evidence[] {
  const source = `probe from ${vantageWords(run)}`;
  if (couldNot(run.result)) return [{ source, text: run.result.cannot }];
  const { dns, connects, tls, handshake } = run.result;
  const out: Evidence[] = [];
  for (const a of dns?.attempts ?? [])
    out.push({
      source,
      text: `${a.question} ${a.type} at ${a.server}: ${a.outcome}${a.answers.length > 0 ? ` ${a.answers.join(', ')}` : ''} (${Math.round(a.ms)} ms)`,
    });
  for (const c of connects)
    out.push({
      source,
      text: `${c.address}:${c.port} ${c.outcome}${c.errno === undefined ? '' : ` (${c.errno})`} after ${Math.round(c.ms)} ms`,
    });
  if (tls !== undefined && tls.outcome !== 'not-tried')
    out.push({
      source,
      text: `TLS ${tls.outcome}${tls.detail === undefined ? '' : `: ${tls.detail}`}${tls.certificate === undefined ? '' : `; certificate of ${tls.certificate.names.join(', ') || tls.certificate.subject}, until ${tls.certificate.notAfter}`}`,
    });
  if (handshake !== undefined)
    out.push({
      source,
      text: `${run.request.protocol}: ${handshake.outcome}${handshake.code === undefined ? '' : ` ${handshake.code}`}${handshake.message === undefined ? '' : ` ${JSON.stringify(handshake.message)}`}${handshake.bytes === undefined || handshake.outcome !== 'wrong-protocol' ? '' : ` (${handshake.bytes})`}`,
    });
  return out;
}

export function vantageWords(run: Pick<ProbeRun, 'from'>): string {
  const { from } = run;
  return from.at === 'laptop'
    ? 'the laptop'
    : from.at === 'node'
      ? `node ${from.node}`
      : `pod ${from.namespace}/${from.pod}`;
}
