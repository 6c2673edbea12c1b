// The real server program of Coracle, from the bundle, with the embedded store on disk and a data directory of its own: started as the
// supervisor starts it, without nodes.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type ClusterConfig, DATA_FORMAT, writeConfig } from '#cluster/config.ts';
import { partCommand } from '#cluster/part-program.ts';
import { clusterPaths } from '#cluster/paths.ts';
import { Children, freePorts } from '#test/reference/children.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 20;

/** Parts of the server that may be left out, as `up --disable` does. */
export type ControlPart = 'controllers' | 'scheduler';

export interface CoracleProgram {
  readonly url: string;
  readonly ca: string;
  /** kubernetes-admin in system:masters, PEM. */
  readonly admin: { readonly cert: string; readonly key: string };
  readonly readyMs: number;
  readonly pid: number;
  /** The same data, another set of parts; resolves when it answers again. */
  restart(parts: readonly ControlPart[]): Promise<void>;
  stop(): Promise<void>;
}

let bundled: string | undefined;

/** The bundle of this run: sources that change in the meantime are not measured. Made anew only when it was cleared away. */
export function bundledProgram(): string {
  if (bundled === undefined || !existsSync(bundled)) bundled = makeBundle();
  return bundled;
}

/** The newest; made now when sources are newer. */
function makeBundle(): string {
  execFileSync(join(ROOT, 'coracle'), ['version'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const builds = join(ROOT, '.build');
  return join(builds, readlinkSync(join(builds, 'current')), 'coracle.mjs');
}

export async function startCoracleProgram(program: string, parts: readonly ControlPart[]): Promise<CoracleProgram> {
  const children = new Children('coracle-benchmark');
  const paths = clusterPaths(join(children.dir, 'data'));
  mkdirSync(paths.run, { recursive: true });
  mkdirSync(paths.logs, { recursive: true });
  const [apiPort] = (await freePorts(1)) as [number];
  const url = `https://127.0.0.1:${apiPort}`;
  const { command, args, env } = partCommand(
    [process.execPath, '--disable-warning=ExperimentalWarning', program],
    'server',
    paths,
  );
  const launch = async (which: readonly ControlPart[]): Promise<void> => {
    writeConfig(paths.config, configOf(apiPort, which));
    children.spawn('server', command, args, { env: { ...env, CORACLE_ROOT: ROOT } });
    const from = performance.now();
    while (!(await isReady(url))) {
      children.mustLive();
      if (performance.now() - from > READY_TIMEOUT_MS) throw new Error(`no answer:\n${children.logEnd('server')}`);
      await delay(POLL_MS);
    }
  };
  try {
    const from = performance.now();
    await launch(parts);
    const readyMs = performance.now() - from;
    const read = (file: string): string => readFileSync(join(paths.pki, file), 'utf8');
    return {
      url,
      ca: read('ca.crt'),
      admin: { cert: read('admin.crt'), key: read('admin.key') },
      readyMs,
      get pid() {
        return children.pids['server']!;
      },
      async restart(which) {
        await children.end('server');
        await launch(which);
      },
      stop: () => children.close(),
    };
  } catch (error) {
    await children.close();
    throw error;
  }
}

function configOf(apiPort: number, parts: readonly ControlPart[]): ClusterConfig {
  return {
    format: DATA_FORMAT,
    name: 'benchmark',
    id: '0badc0de',
    apiPort,
    bindAddresses: ['127.0.0.1'],
    podCIDR: '10.244.0.0/16',
    serviceCIDR: '10.96.0.0/12',
    clusterDNS: '10.96.0.10',
    clusterDomain: 'cluster.local',
    nodeCIDR: '192.168.10.0/24',
    machineIP: '127.0.0.1',
    switchIP: '127.0.0.1',
    hollow: true,
    disabled: (['controllers', 'scheduler'] as const).filter((p) => !parts.includes(p)),
    nodes: [],
    publish: [],
  };
}

/** Before the server has made its keys there is no CA to check it by; whoever answers on our port is ours. */
function isReady(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = https.get(
      `${url}/readyz`,
      { agent: false, rejectUnauthorized: false, timeout: 5_000 },
      (answer) => {
        answer.resume();
        answer.on('close', () => resolve(answer.statusCode === 200));
      },
    );
    request.on('error', () => resolve(false));
    request.on('timeout', () => request.destroy());
  });
}
