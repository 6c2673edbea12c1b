// Starts the originals: etcd and kube-apiserver, if asked with kube-controller-manager and kube-scheduler, on free loopback ports,
// with certificates of their own and data in a temporary folder. stop() leaves nothing. Programs: `npm run reference`.
//
//     const reference = await startReference({ controllers: true });
//     try { … } finally { await reference.stop(); }
import { mkdirSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { pkiFiles } from '#cluster/materials.ts';
import { ensurePki, type Pki } from '#pki/ensure.ts';
import { makeKubeconfig, type KubeconfigUser } from '#pki/kubeconfig.ts';
import { Children, freePorts } from './children.ts';
import { findPrograms } from './folder.ts';

export interface ReferenceOptions {
  /** kube-controller-manager as well. Without it nobody makes service accounts, so pods are refused unless they exist. */
  readonly controllers?: boolean;
  readonly scheduler?: boolean;
  /** Appended, so they win over ours. */
  readonly apiServerArgs?: readonly string[];
  readonly controllerArgs?: readonly string[];
  readonly schedulerArgs?: readonly string[];
  readonly etcdArgs?: readonly string[];
  /** Fields of the KubeSchedulerConfiguration beside clientConnection and leaderElection. */
  readonly schedulerConfiguration?: Readonly<Record<string, unknown>>;
  /** Logs of the programs go here and stay; otherwise they go with the data. */
  readonly logDir?: string;
  /** Told what is being waited for. */
  readonly log?: (line: string) => void;
}

export type ReferencePart = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler';

export type StartablePart = 'kube-controller-manager' | 'kube-scheduler';

export interface Reference {
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
  /** Path of a kubeconfig with the token below. */
  readonly kubeconfig: string;
  /** Of kubernetes-admin in system:masters. */
  readonly token: string;
  /** PEM file that the server's certificate is signed by; also the client CA. */
  readonly caFile: string;
  readonly ca: string;
  /** Everything the cluster's keys and certificates consist of; `certificates.admin` is a client in system:masters. */
  readonly certificates: Pki;
  readonly etcdUrl: string;
  readonly pids: Readonly<Partial<Record<ReferencePart, number>>>;
  /** Temporary; gone after stop(). Kubeconfigs of others may be written here. */
  readonly dir: string;
  /** From the first process started until /readyz. */
  readonly readyMs: number;
  /** Writes a kubeconfig for somebody else and returns its path. */
  kubeconfigFor(name: string, user: KubeconfigUser): string;
  /** Starts a part that was not asked for at first, or was ended; resolves when it is healthy. */
  start(part: StartablePart): Promise<void>;
  /** Ends and waits for one part, such as the scheduler while pods are made. */
  end(part: ReferencePart): Promise<void>;
  /** The last lines that a part logged. */
  logEnd(part: ReferencePart, lines?: number): string;
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 120_000;
const POLL_MS = 20;
/** A port that was free may be taken by the time a program opens it. */
const ATTEMPTS = 3;
/** Requests per second that controllers and scheduler may make: their defaults of 20 and 50 are what would be measured. */
const CLIENT_QPS = 5_000;

export async function startReference(options: ReferenceOptions = {}): Promise<Reference> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(options);
    } catch (error) {
      if (attempt === ATTEMPTS || !/address already in use/.test((error as Error).message)) throw error;
    }
  }
}

async function startOnce(options: ReferenceOptions): Promise<Reference> {
  const programs = findPrograms([
    'etcd',
    'kube-apiserver',
    ...(options.controllers === true ? (['kube-controller-manager'] as const) : []),
    ...(options.scheduler === true ? (['kube-scheduler'] as const) : []),
  ]);
  const children = new Children('coracle-reference', options);
  try {
    return await startIn(children, programs, options);
  } catch (error) {
    await children.close();
    throw error;
  }
}

async function startIn(
  children: Children,
  programs: Readonly<Partial<Record<ReferencePart, string>>>,
  options: ReferenceOptions,
): Promise<Reference> {
  const { dir } = children;
  const [etcdPort, peerPort, port, controllerPort, schedulerPort] = (await freePorts(5)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const pki = await makePki(join(dir, 'pki'));
  const at = (name: string): string => join(dir, 'pki', name);
  const url = `https://127.0.0.1:${port}`;
  const token = randomBytes(24).toString('hex');
  writeFileSync(join(dir, 'tokens.csv'), `${token},kubernetes-admin,kubernetes-admin,"system:masters"\n`, {
    mode: 0o600,
  });
  const kubeconfigFor = (name: string, user: KubeconfigUser): string => {
    const path = join(dir, `${name}.kubeconfig`);
    const cluster = { server: url, certificateAuthority: pki.ca.certificate };
    writeFileSync(path, JSON.stringify(makeKubeconfig({ context: 'reference', userName: name, cluster, user })), {
      mode: 0o600,
    });
    return path;
  };
  const kubeconfig = kubeconfigFor('kubernetes-admin', { token });

  const startedAt = performance.now();
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  children.spawn('etcd', programs.etcd!, [
    '--name=reference',
    `--data-dir=${join(dir, 'etcd')}`,
    `--listen-client-urls=${etcdUrl}`,
    `--advertise-client-urls=${etcdUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=reference=${peerUrl}`,
    '--log-level=warn',
    ...(options.etcdArgs ?? []),
  ]);
  children.spawn('kube-apiserver', programs['kube-apiserver']!, [
    `--etcd-servers=${etcdUrl}`,
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--cert-dir=${join(dir, 'made')}`,
    `--tls-cert-file=${at('apiserver.crt')}`,
    `--tls-private-key-file=${at('apiserver.key')}`,
    `--client-ca-file=${at('ca.crt')}`,
    `--requestheader-client-ca-file=${at('front-proxy-ca.crt')}`,
    '--requestheader-allowed-names=front-proxy-client',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    `--proxy-client-cert-file=${at('front-proxy-client.crt')}`,
    `--proxy-client-key-file=${at('front-proxy-client.key')}`,
    `--kubelet-client-certificate=${at('apiserver-kubelet-client.crt')}`,
    `--kubelet-client-key=${at('apiserver-kubelet-client.key')}`,
    `--token-auth-file=${join(dir, 'tokens.csv')}`,
    `--service-account-key-file=${at('sa.pub')}`,
    `--service-account-signing-key-file=${at('sa.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    '--service-cluster-ip-range=10.96.0.0/12',
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--enable-bootstrap-token-auth=true',
    '--allow-privileged=true',
    ...(options.apiServerArgs ?? []),
  ]);
  const ask = (target: string, bearer?: string): Promise<number> => status(target, pki.ca.certificate, bearer);
  await until(
    'kube-apiserver is ready',
    children,
    options.log,
    async () => (await ask(`${url}/readyz`, token)) === 200,
  );
  const readyMs = performance.now() - startedAt;

  const start = async (part: StartablePart): Promise<void> => {
    const program = findPrograms([part])[part];
    const own = kubeconfigFor(`system-${part}`, part === 'kube-scheduler' ? pki.scheduler : pki.controllerManager);
    const itsPort = part === 'kube-scheduler' ? schedulerPort : controllerPort;
    children.spawn(part, program, [
      ...(part === 'kube-scheduler'
        ? [`--config=${writeSchedulerConfiguration(dir, own, options.schedulerConfiguration)}`]
        : [
            `--kubeconfig=${own}`,
            '--leader-elect=false',
            '--use-service-account-credentials=true',
            `--service-account-private-key-file=${at('sa.key')}`,
            `--root-ca-file=${at('ca.crt')}`,
            `--cluster-signing-cert-file=${at('ca.crt')}`,
            `--cluster-signing-key-file=${at('ca.key')}`,
            `--requestheader-client-ca-file=${at('front-proxy-ca.crt')}`,
            `--kube-api-qps=${CLIENT_QPS}`,
            `--kube-api-burst=${2 * CLIENT_QPS}`,
          ]),
      `--authentication-kubeconfig=${own}`,
      `--authorization-kubeconfig=${own}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${itsPort}`,
      `--cert-dir=${join(dir, 'made')}`,
      ...((part === 'kube-scheduler' ? options.schedulerArgs : options.controllerArgs) ?? []),
    ]);
    const healthz = `https://127.0.0.1:${itsPort}/healthz`;
    await until(`${part} is healthy`, children, options.log, async () => (await status(healthz)) === 200);
  };
  if (options.controllers === true) await start('kube-controller-manager');
  if (options.scheduler === true) await start('kube-scheduler');
  await until('the default namespace is there', children, options.log, async () => {
    const account = options.controllers === true ? '/serviceaccounts/default' : '';
    return (await ask(`${url}/api/v1/namespaces/default${account}`, token)) === 200;
  });
  return {
    url,
    port,
    kubeconfig,
    token,
    caFile: at('ca.crt'),
    ca: pki.ca.certificate,
    certificates: pki,
    etcdUrl,
    get pids() {
      return children.pids;
    },
    dir,
    readyMs,
    kubeconfigFor,
    start,
    end: (part) => children.end(part),
    logEnd: (part, lines) => children.logEnd(part, lines),
    stop: () => children.close(),
  };
}

function writeSchedulerConfiguration(
  dir: string,
  kubeconfig: string,
  more: Readonly<Record<string, unknown>> | undefined,
): string {
  const path = join(dir, 'scheduler.json');
  const configuration = {
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    kind: 'KubeSchedulerConfiguration',
    clientConnection: { kubeconfig, qps: CLIENT_QPS, burst: 2 * CLIENT_QPS },
    leaderElection: { leaderElect: false },
    ...more,
  };
  writeFileSync(path, JSON.stringify(configuration));
  return path;
}

function makePki(folder: string): Promise<Pki> {
  mkdirSync(folder);
  return ensurePki(pkiFiles(folder), {
    nowMs: Date.now(),
    serverNames: {
      dnsNames: [
        'localhost',
        'kubernetes',
        'kubernetes.default',
        'kubernetes.default.svc',
        'kubernetes.default.svc.cluster.local',
      ],
      ipAddresses: ['127.0.0.1', '10.96.0.1'],
    },
  });
}

async function until(
  what: string,
  children: Children,
  log: ((line: string) => void) | undefined,
  check: () => Promise<boolean>,
): Promise<void> {
  const from = performance.now();
  while (!(await check())) {
    children.mustLive();
    if (performance.now() - from > READY_TIMEOUT_MS) {
      throw new Error(`${what}: not within ${READY_TIMEOUT_MS / 1000} s\n${children.logEnd('kube-apiserver')}`);
    }
    await delay(POLL_MS);
  }
  log?.(`${what} (${((performance.now() - from) / 1000).toFixed(1)} s)`);
}

/** The status code of a GET; 0 when nobody answers. Without a CA the certificate is not looked at: health on loopback. */
function status(url: string, ca?: string, bearer?: string): Promise<number> {
  return new Promise((resolve) => {
    const request = https.get(
      url,
      {
        agent: false,
        timeout: 10_000,
        ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
        ...(bearer === undefined ? {} : { headers: { authorization: `Bearer ${bearer}` } }),
      },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
        response.on('error', () => resolve(0));
      },
    );
    request.on('error', () => resolve(0));
    request.on('timeout', () => request.destroy());
  });
}
