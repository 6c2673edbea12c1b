// Probes on a node: from the node itself in this process, from a pod in a child process inside the pod's network namespace, with the
// pod's own resolv.conf and hosts file.
import type { Run } from '#host/process.ts';
import { StatusError } from '#machinery/status.ts';
import { type AgentProbe, PROBE_PATH } from '../probe/agent-prober.ts';
import type { ProbeRequest, ProbeResult } from '../probe/result.ts';
import { type ProbeDeps, runProbe } from '../probe/run-probe.ts';
import { namespaceInode, type ProcFiles, processesInNetns, processesOfPod, readText } from './processes.ts';

export interface ProbeHandlerDeps {
  readonly run: Run;
  readonly files: ProcFiles;
  /** Uid of a pod of this node; undefined when there is none of that name. */
  readonly podUid: (namespace: string, name: string) => string | undefined;
  /** Path of the pod's network namespace; undefined for pods on the host's network, or without a sandbox. */
  readonly podNetns: (namespace: string, name: string) => Promise<string | undefined>;
  readonly usesHostNetwork: (namespace: string, name: string) => boolean;
  /** The command that reads a request from stdin and prints the result. */
  readonly program: readonly string[];
  /** Probes from the node itself; absent where the node has no kernel network of its own. */
  readonly own?: ProbeDeps;
}

/** Probes at once on a node; more wait for their turn at the caller. */
const MAX_PROBES = 16;
const MAX_STEP_MS = 10_000;
/** Resolving, connecting, handshakes with a second try. */
const STEPS = 6;

export function probeHandler(deps: ProbeHandlerDeps) {
  let running = 0;
  return {
    method: 'POST' as const,
    path: PROBE_PATH,
    async handle(_query: URLSearchParams, body: Uint8Array, signal: AbortSignal): Promise<ProbeResult> {
      const { from, request } = decode(body);
      if (deps.own === undefined)
        throw StatusError.badRequest('this node is hollow: it has no kernel network to probe from');
      if (running >= MAX_PROBES) throw StatusError.tooManyRequests('too many probes at once', 1);
      running++;
      try {
        return from.at === 'node' ? await runProbe(request, deps.own) : await probeFromPod(from, request, deps, signal);
      } finally {
        running--;
      }
    },
  };
}

function decode(body: Uint8Array): AgentProbe {
  let probe: Partial<AgentProbe>;
  try {
    probe = JSON.parse(Buffer.from(body).toString('utf8')) as Partial<AgentProbe>;
  } catch {
    throw StatusError.badRequest('the body is no JSON');
  }
  const { from, request } = probe;
  if (from === undefined || request === undefined || typeof request.host !== 'string' || !(request.port > 0))
    throw StatusError.badRequest('a probe has from, and request with host and port');
  return { from, request: { ...request, timeoutMs: Math.min(MAX_STEP_MS, Math.max(1, request.timeoutMs || 0)) } };
}

async function probeFromPod(
  { namespace, pod, uid }: Extract<AgentProbe['from'], { at: 'pod' }>,
  request: ProbeRequest,
  deps: ProbeHandlerDeps,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const { run, files } = deps;
  const present = deps.podUid(namespace, pod);
  if (present === undefined || (uid !== '' && present !== uid)) throw StatusError.notFound({ resource: 'pods' }, pod);
  const netns = await deps.podNetns(namespace, pod);
  if (netns === undefined) {
    if (deps.usesHostNetwork(namespace, pod))
      return runProbe({ ...filesOf(processesOfPod(present, files)[0], files), ...request }, deps.own!);
    throw StatusError.badRequest(`pod ${namespace}/${pod} has no network namespace yet: it has no running sandbox`);
  }
  const inode = namespaceInode(netns, files);
  const [first] = inode === undefined ? [] : processesInNetns(inode, files);
  const whole: ProbeRequest = { ...filesOf(first, files), ...request };
  const [command, ...args] = ['nsenter', `--net=${netns}`, '--', ...deps.program];
  const result = await run(command!, args, {
    input: JSON.stringify(whole),
    signal,
    timeoutMs: STEPS * request.timeoutMs + START_MS,
  });
  if (result.code !== 0)
    throw StatusError.internal(`the probe ended with code ${result.code}: ${result.stderr.trim().slice(0, 500)}`);
  return JSON.parse(result.stdout) as ProbeResult;
}

/** The resolver's files as a process of the pod sees them. */
function filesOf(pid: number | undefined, files: ProcFiles): Pick<ProbeRequest, 'resolvConf' | 'hosts'> {
  if (pid === undefined) return { resolvConf: '', hosts: '' };
  const text = (name: string) => readText(`/proc/${pid}/root/etc/${name}`, files) ?? '';
  return { resolvConf: text('resolv.conf'), hosts: text('hosts') };
}

/** What a child process may take to start on a busy machine. */
const START_MS = 5_000;
