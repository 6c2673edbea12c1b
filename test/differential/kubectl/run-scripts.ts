// Types scripts into shells of their own, several at once, and hands back what each step printed, normalised.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { load } from 'js-yaml';
import { normalise, withoutDescriptions } from './normalise.ts';
import { casesOf, namespaceOf, type Script, type Step, wordsOf } from './script.ts';

/** What a step came to. */
export interface StepAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface WorkshopOptions {
  /** Paths of the programs. */
  readonly kubectl: string;
  readonly helm: string;
  /** Text of a kubeconfig with one cluster. */
  readonly kubeconfig: string;
  /** Scripts at once. */
  readonly atOnce: number;
}

/** A step's patience with controllers, and a program's with the server. */
const UNTIL_MS = 25_000;
const LIMIT_MS = 60_000;
const PAUSE_MS = 150;
/** What a watch still has to say after the word that it was waited for. */
const LINGER_MS = 400;
const NODE_IPS = '{.items[*].status.addresses[?(@.type=="InternalIP")].address}';

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: { readonly server: string } }[];
  readonly users: readonly { readonly user: object }[];
}

/** With names that both clusters have in common, since they are shown. */
const kubeconfigFor = (cluster: object, user: object, namespace: string) => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'cluster', cluster }],
  users: [{ name: 'admin', user }],
  contexts: [{ name: 'context', context: { cluster: 'cluster', user: 'admin', namespace } }],
  'current-context': 'context',
});

export class KubectlWorkshop {
  readonly #options: WorkshopOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), 'kubectl-scripts-'));
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(options: WorkshopOptions) {
    this.#options = options;
    this.#free = options.atOnce;
  }

  /** Answers by id, when it is this script's turn. Throws when a preparing step fails. */
  async type(script: Script): Promise<ReadonlyMap<string, StepAnswer>> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free--;
    try {
      return await typeScript(script, this.#options, this.#folder);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function typeScript(
  script: Script,
  options: WorkshopOptions,
  parent: string,
): Promise<ReadonlyMap<string, StepAnswer>> {
  const answers = new Map<string, StepAnswer>();
  const folder = join(parent, script.name);
  const home = join(folder, 'home');
  mkdirSync(home, { recursive: true });
  for (const [name, text] of Object.entries(script.files ?? {})) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text, { mode: name.endsWith('.sh') ? 0o755 : 0o644 });
  }
  const namespace = namespaceOf(script);
  const config = load(options.kubeconfig) as Kubeconfig;
  const { cluster } = config.clusters[0]!;
  writeFileSync(join(home, 'config'), JSON.stringify(kubeconfigFor(cluster, config.users[0]!.user, namespace)));
  const environment: NodeJS.ProcessEnv = {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: home,
    KUBECONFIG: join(home, 'config'),
    // Discovery is asked for once by all scripts, as it is on a desk.
    KUBECACHEDIR: join(parent, 'cache'),
    KUBE_EDITOR: 'false',
    // These programs live too short to collect garbage.
    GOGC: 'off',
  };
  const type = (step: Step): Promise<StepAnswer> => typeStep(step, options, folder, environment);
  await prepare(namespace, type);
  const nodeIPs = (await type({ run: `get nodes -o 'jsonpath=${NODE_IPS}'` })).stdout.split(' ');
  const world = { url: cluster.server, nodeIPs };
  for (const { id, step } of casesOf(script)) {
    const from = performance.now();
    const raw = await typeUntil(step, type);
    const answer = {
      code: raw.code,
      stdout: compared(normalise(raw.stdout, world, [folder, parent]), step),
      stderr: compared(normalise(raw.stderr, world, [folder, parent]), step),
    };
    if (step.isSetUp && raw.code !== 0) throw new Error(`${id}: prepares and failed: ${raw.stderr}`);
    if (!step.isSetUp) answers.set(id, answer);
    if (process.env['DIFFERENTIAL_TIMES'] !== undefined)
      process.stderr.write(`${(performance.now() - from).toFixed(0)} ms ${id}\n`);
  }
  return answers;
}

/** A namespace with what controllers put into every one. */
async function prepare(namespace: string, type: (step: Step) => Promise<StepAnswer>): Promise<void> {
  const made = await type({ run: `create namespace ${namespace}` });
  if (made.code !== 0) throw new Error(made.stderr);
  const wait = (what: string): Promise<StepAnswer> => type({ run: `wait --for=create ${what} --timeout=20s` });
  await Promise.all([wait('serviceaccount/default'), wait('configmap/kube-root-ca.crt')]);
}

function compared(text: string, step: Step): string {
  const told = step.withoutDescriptions ? withoutDescriptions(text) : text;
  if (step.lastLine) return told.trimEnd().split('\n').at(-1)!;
  return step.sorted ? told.split('\n').toSorted().join('\n') : told;
}

async function typeUntil(step: Step, type: (step: Step) => Promise<StepAnswer>): Promise<StepAnswer> {
  const end = performance.now() + UNTIL_MS;
  for (;;) {
    const answer = await type(step);
    const isSo = (step.until?.test(answer.stdout) ?? true) && (!step.untilDone || answer.code === 0);
    if (isSo || performance.now() > end) return answer;
    await delay(PAUSE_MS);
  }
}

function typeStep(
  step: Step,
  shell: WorkshopOptions,
  folder: string,
  environment: NodeJS.ProcessEnv,
): Promise<StepAnswer> {
  const words = wordsOf(step.run);
  const isHelm = words[0] === 'helm';
  const [program, args] = isHelm ? [shell.helm, words.slice(1)] : [shell.kubectl, words];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: folder, env: { ...environment, ...step.env } });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => {
      out.push(chunk);
      if (step.stopWhen?.test(chunk.toString('utf8'))) setTimeout(() => child.kill('SIGINT'), LINGER_MS);
    });
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => undefined); // it may end before it has read all
    child.stdin.end(step.stdin ?? '');
    const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      const text = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString('utf8');
      // As a shell counts what a signal ended.
      resolve({ code: code ?? (signal === 'SIGINT' ? 130 : 137), stdout: text(out), stderr: text(err) });
    });
  });
}
