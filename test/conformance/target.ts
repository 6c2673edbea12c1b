// What the suite runs against: a Coracle cluster of its own, a reference control plane, or any cluster by its kubeconfig.
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Node } from '#generated/api/core-v1.ts';
import { clusterPaths, coracleHome, defaultDataDir } from '#cluster/paths.ts';
import { call } from '../e2e/cluster.ts';
import { freePorts } from '../reference/children.ts';
import { startReference } from '../reference/control-plane.ts';
import { buildImages } from './images.ts';

export interface Target {
  readonly kubeconfig: string;
  /** Flags of e2e.test that this target needs. */
  readonly flags: readonly string[];
  /** The logs of its parts, kept below `folder`; the path, or undefined where there are none to keep. */
  keepLogs(folder: string): string | undefined;
  stop(): Promise<void>;
}

export interface TargetOptions {
  readonly against: string;
  /** Of the Coracle cluster. */
  readonly name: string;
  readonly needsContainers: boolean;
  readonly nodes: number;
  /** The program. */
  readonly kubectl: string;
  readonly say: (line: string) => void;
}

const ROOT = join(import.meta.dirname, '..', '..');
const UP_TIMEOUT_MS = 300_000;
const DOWN_TIMEOUT_MS = 120_000;
/** Fail soon where upstream's defaults wait for half an hour: everything is up before the suite starts. */
const IMPATIENT = ['--system-pods-startup-timeout=2m', '--node-schedulable-timeout=2m'];

export function startTarget(options: TargetOptions): Promise<Target> {
  if (options.against === 'coracle') return startCoracle(options);
  if (options.against === 'reference') return startOriginals(options);
  const kubeconfig = resolve(options.against);
  if (!existsSync(kubeconfig))
    throw new Error(`--against is coracle, reference or a kubeconfig; there is no ${kubeconfig}`);
  return Promise.resolve({ kubeconfig, flags: [], keepLogs: () => undefined, stop: () => Promise.resolve() });
}

async function startCoracle({ name, needsContainers, nodes, say }: TargetOptions): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), 'coracle-conformance-'));
  const env: NodeJS.ProcessEnv = { ...process.env, KUBECONFIG: join(folder, 'kubeconfig') };
  delete env['CORACLE_NAME'];
  const coracle = (args: readonly string[], timeoutMs: number) =>
    call(join(ROOT, 'coracle'), ['--name', name, ...args], { timeoutMs }, env);
  const data = defaultDataDir(coracleHome(process.env, process.getuid?.() === 0), name);
  const down = () => coracle(['down', '--delete', '--yes', '--timeout', '5'], DOWN_TIMEOUT_MS);
  // Left by a run that was killed: one runner at a time has been made sure of.
  if (existsSync(data)) await down();
  const stop = async (): Promise<void> => {
    const { code, stderr } = await down();
    rmSync(folder, { recursive: true, force: true });
    if (code !== 0) throw new Error(`coracle down ended with code ${code}: ${stderr}`);
  };
  const paths = clusterPaths(data);
  const keepLogs = (to: string): string | undefined => {
    if (!existsSync(paths.logs)) return undefined;
    cpSync(paths.logs, to, { recursive: true });
    return to;
  };
  try {
    const archives = needsContainers ? await buildImages(say) : [];
    const [port] = await freePorts(1);
    const kind = needsContainers ? '--require-containers' : '--hollow';
    const up = await coracle(
      ['up', '--nodes', String(nodes), '--port', String(port), '--no-examples', kind],
      UP_TIMEOUT_MS,
    );
    if (up.code !== 0) throw new Error(`coracle up ended with code ${up.code}: ${up.stdout}${up.stderr}`);
    say(`cluster ${name}: ${nodes} ${needsContainers ? '' : 'hollow '}nodes after ${(up.tookMs / 1000).toFixed(1)} s`);
    if (archives.length > 0) {
      const load = await coracle(['image', 'load', ...archives], UP_TIMEOUT_MS);
      if (load.code !== 0) throw new Error(`coracle image load ended with code ${load.code}: ${load.stderr}`);
    }
  } catch (error) {
    await stop().catch((also: unknown) => say(String(also)));
    throw error;
  }
  return { kubeconfig: paths.kubeconfig, flags: IMPATIENT, keepLogs, stop };
}

/** The suite refuses a cluster without nodes. These are objects alone; so nothing is scheduled, and no pod ever waits for a kubelet. */
async function startOriginals({ needsContainers, nodes, kubectl, say }: TargetOptions): Promise<Target> {
  if (needsContainers) throw new Error('--against reference has no kubelets: choose --class api, ctrl or api,ctrl');
  const logs = mkdtempSync(join(tmpdir(), 'coracle-conformance-'));
  const controllerArgs = ['--controllers=*,-node-lifecycle-controller'];
  const reference = await startReference({ controllers: true, controllerArgs, logDir: logs, log: say });
  const stop = async (): Promise<void> => {
    await reference.stop();
    rmSync(logs, { recursive: true, force: true });
  };
  try {
    for (let i = 1; i <= nodes; i++) {
      await mustCall(kubectl, reference.kubeconfig, ['create', '-f', '-'], JSON.stringify(readyNode(`node-${i}`)));
      // Every new node is born with it; a kubelet's first heartbeat would take it away.
      await mustCall(kubectl, reference.kubeconfig, ['taint', 'node', `node-${i}`, 'node.kubernetes.io/not-ready-']);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    kubeconfig: reference.kubeconfig,
    flags: [...IMPATIENT, '--allowed-not-ready-nodes=-1', '--minStartupPods=0'],
    keepLogs: (to) => {
      cpSync(logs, to, { recursive: true });
      return to;
    },
    stop,
  };
}

const readyNode = (name: string): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' } },
  status: {
    capacity: { cpu: '4', memory: '8Gi', pods: '110' },
    allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
    conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }],
  },
});

async function mustCall(kubectl: string, kubeconfig: string, args: readonly string[], input = ''): Promise<void> {
  const { code, stderr } = await call(kubectl, ['--kubeconfig', kubeconfig, ...args], { input });
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with code ${code}: ${stderr}`);
}
