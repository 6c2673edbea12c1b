// coracle why: which link between a client and a server is broken, the evidence, and the cure.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { sleep } from '#base/clock.ts';
import { EXIT, UsageError } from '#cluster/errors.ts';
import { ask } from '#why/ask.ts';
import type { Answer, AskDeps, Question } from '#why/question.ts';
import { findCandidates } from '#why/collect/candidates.ts';
import { describeCode, formatCode, CODES } from '#why/codes.ts';
import { parseForward } from '#why/collect/forwards.ts';
import { parseProcNet } from '#why/node/sockets.ts';
import type { Forward } from '#why/facts.ts';
import type { Report } from '#why/report.ts';
import { parseSource, parseTarget, TargetError } from '#why/target.ts';
import { formatReport } from '#why/text.ts';
import { describeError } from '#base/log.ts';
import { execInPod } from '#client/transports/streaming.ts';
import { clock, env } from '../context.ts';
import { DEFAULT_DEBUG_IMAGE, vantageKit } from '../vantage.ts';
import { type Access, type AccessOptions, openAccess, withAccessOptions } from '../kube-access.ts';

interface Flags extends AccessOptions {
  readonly from: string;
  readonly output?: string;
  readonly probe: boolean;
  readonly watch?: boolean;
  readonly explain?: string;
  readonly passwordFrom?: string;
  readonly debugPod?: string | boolean;
  readonly hideNodes?: boolean;
}

const EXIT_OF: Readonly<Record<Report['verdict'], number>> = { ok: 0, broken: 1, unknown: 2 };
const WATCH_MS = 2_000;
/** Well above what an answer takes: against an API server that hangs. */
const LIMIT_MS = 30_000;

export function addWhy(program: Command): void {
  withAccessOptions(
    program
      .command('why')
      .description('why a connection does not come about: the broken link, the evidence, the cure')
      .argument('[target]', 'a URL, host:port, svc/NAME[:port], pod/NAME[:port] or ingress/NAME; NAMESPACE/ before it'),
  )
    .option('--from <source>', 'laptop, node/NAME, pod/NAME or a workload such as deploy/NAME', 'laptop')
    .option('-o, --output <format>', 'text or json', 'text')
    .option('--no-probe', 'do not connect: judge by what can be read alone')
    .option('--watch', 'answer again when the answer changes')
    .option('--password-from <file>', 'log in with the password in this file (its first line)')
    .option('--debug-pod [image]', 'where a pod has nothing to probe with, add an ephemeral container to it')
    .option('--hide-nodes', 'look at the API alone, as on a cluster that is not Coracle’s')
    .option('--explain <code>', 'what a code means, and nothing else')
    .action(async (target: string | undefined, flags: Flags) => {
      process.exitCode = await why(target, flags);
    });
}

async function why(text: string | undefined, flags: Flags): Promise<number> {
  if (flags.explain !== undefined) return explainCode(flags.explain);
  if (flags.output !== 'text' && flags.output !== 'json')
    throw new UsageError(`--output is text or json, not ${flags.output}`);
  const access = openAccess(flags);
  const deps = depsOf(access, flags);
  try {
    const source = parseSource(flags.from);
    const target = text ?? (await chooseTarget(source, access, deps));
    if (target === undefined) return EXIT.usage;
    const question: Question = {
      target: withPassword(parseTarget(target), flags),
      source,
      namespace: access.namespace,
      probes: flags.probe,
      ...authority(target, source.kind),
    };
    return flags.watch === true
      ? await watch(question, deps, flags)
      : print(await once(question, deps), question, flags);
  } catch (error) {
    throw error instanceof TargetError ? new UsageError(error.message) : error;
  } finally {
    await deps.close();
  }
}

function explainCode(code: string): number {
  const row = describeCode(code);
  if (row === undefined)
    throw new UsageError(`there is no code ${code}; there are ${CODES.map((c) => c.code).join(', ')}`);
  process.stdout.write(formatCode(row));
  return EXIT.ok;
}

function depsOf(access: Access, flags: Flags): AskDeps & { close(): Promise<void> } {
  const debug =
    flags.debugPod === undefined || flags.debugPod === false
      ? {}
      : { debugImage: flags.debugPod === true ? DEFAULT_DEBUG_IMAGE : flags.debugPod };
  const kit = vantageKit(access, { hideNodes: flags.hideNodes === true, ...debug });
  return {
    client: access.client,
    sight: kit.sight,
    prober: kit.prober,
    clock,
    forwards,
    exec: execWith(access),
    close: () => kit.close(),
  };
}

const execWith =
  ({ transport }: Access): NonNullable<AskDeps['exec']> =>
  async ({ namespace, name, container }, command, signal) => {
    try {
      const output = await execInPod(transport, { namespace, pod: name, container }, command, signal);
      return output.exitCode === 0 ? output.stdout : { cannot: output.stderr.trim() };
    } catch (error) {
      return { cannot: describeError(error) };
    }
  };

const once = (question: Question, deps: AskDeps): Promise<Answer> => ask(question, deps, AbortSignal.timeout(LIMIT_MS));

/** Commands of this program name the cluster that was asked, where it is not the default one. */
function named(report: Report, name: string | undefined): Report {
  if (name === undefined || name === 'local') return report;
  const text = JSON.stringify(report).replaceAll('coracle node exec ', `coracle --name ${name} node exec `);
  return JSON.parse(text) as Report;
}

function print(answer: Answer, question: Question, flags: Flags): number {
  const report = named(answer.report, flags.name ?? env['CORACLE_NAME']);
  const color = process.stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '';
  const text =
    flags.output === 'json'
      ? `${JSON.stringify(report, null, 2)}\n`
      : formatReport(report, { color, target: question.target.text, source: flags.from });
  process.stdout.write(text);
  return EXIT_OF[report.verdict];
}

/** Answers again whenever the answer is another. */
async function watch(question: Question, deps: AskDeps, flags: Flags): Promise<number> {
  let last = '';
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
  let code: number = EXIT.ok;
  while (!stop.signal.aborted) {
    const answer = await once(question, deps);
    const { verdict, cause, alsoBroken, warnings } = answer.report;
    const now = JSON.stringify([
      verdict,
      [cause, ...alsoBroken, ...warnings].map((c) => [c?.code, c?.object, c?.message]),
    ]);
    if (now !== last) code = print(answer, question, flags);
    last = now;
    await sleep(clock, WATCH_MS, stop.signal).catch(() => undefined);
  }
  return code;
}

function withPassword(target: ReturnType<typeof parseTarget>, flags: Flags): ReturnType<typeof parseTarget> {
  if (flags.passwordFrom === undefined || target.kind !== 'address') return target;
  return { ...target, password: readFileSync(flags.passwordFrom, 'utf8').split('\n')[0]! };
}

/** A file of certificates that the target names is read where the client is: here, that is, for the laptop. */
function authority(text: string, source: string): { ca?: string } {
  const target = parseTarget(text);
  if (target.kind !== 'address' || target.caFile === undefined || source !== 'laptop') return {};
  try {
    return { ca: readFileSync(target.caFile, 'utf8') };
  } catch {
    throw new UsageError(`the authority's file ${target.caFile} cannot be read`);
  }
}

/** Port-forwards among the processes of this machine that may be looked at. */
function forwards(): readonly Forward[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return parseForward(Number(pid), words, undefined, () => listeningPorts(pid));
      } catch {
        return []; // it has just ended, or is another user's
      }
    });
}

/** TCP ports on which a process of this machine listens. */
function listeningPorts(pid: string): readonly number[] {
  const own = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
    } catch {
      return []; // closed meanwhile
    }
  });
  const rows = parseProcNet('tcp', 4, readFileSync(`/proc/${pid}/net/tcp`, 'utf8'));
  return rows.filter((r) => r.state === 'LISTEN' && own.includes(r.inode)).map((r) => r.port);
}

async function chooseTarget(
  source: ReturnType<typeof parseSource>,
  access: Access,
  deps: AskDeps,
): Promise<string | undefined> {
  const candidates = await findCandidates(source, access.namespace, deps);
  const listed = candidates.map((c, i) => `${String(i + 1).padStart(3)}  ${c.target}  (${c.from})`);
  if (candidates.length === 0)
    throw new UsageError(
      'no target was given, and nothing in the source’s environment, ConfigMaps and log looks like one: give a URL, host:port, svc/NAME, pod/NAME or ingress/NAME',
    );
  if (process.stdin.isTTY !== true || process.stdout.isTTY !== true) {
    process.stderr.write(`coracle: no target was given; candidates are\n${listed.join('\n')}\n`);
    return undefined;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`Which connection?\n${listed.join('\n')}\n> `);
  terminal.close();
  return candidates[Number(answer) - 1]?.target;
}
