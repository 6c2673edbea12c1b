// The two that are compared, behind one interface: each a server on loopback with TLS, durable storage, and a service account that may do
// everything by RBAC, as whose pods the load generator speaks.
import https from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { startReference } from '#test/reference/control-plane.ts';
import { bundledProgram, type ControlPart, startCoracleProgram } from './coracle-program.ts';
import type { Target } from './load/job.ts';

export interface Contender {
  readonly name: 'coracle' | 'reference';
  readonly target: Target;
  /** From the first process until /readyz, fresh data. */
  readonly readyMs: number;
  /** All processes of the server, by what they are. */
  readonly pids: Readonly<Record<string, number>>;
  ask(method: string, path: string, body?: unknown, contentType?: string): Promise<Asked>;
  /** Adds the scheduler to a server that was started without one. */
  addScheduler(): Promise<void>;
  stop(): Promise<void>;
}

export interface Asked {
  readonly status: number;
  readonly text: string;
}

export interface Pair {
  readonly coracle: Contender;
  readonly reference: Contender;
}

export const NAMESPACE = 'bench';
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 20;

export async function startCoracle(parts: readonly ControlPart[] = []): Promise<Contender> {
  const program = await startCoracleProgram(bundledProgram(), parts);
  const { url, ca } = program;
  const admin = new Admin(url, { ca, ...program.admin });
  return prepared(admin, program, {
    name: 'coracle',
    readyMs: program.readyMs,
    get pids() {
      return { server: program.pid };
    },
    url,
    ca,
    async addScheduler() {
      admin.disconnect();
      await program.restart([...parts, 'scheduler']);
    },
  });
}

export async function startOriginal(parts: readonly ControlPart[] = []): Promise<Contender> {
  const reference = await startReference({
    controllers: parts.includes('controllers'),
    scheduler: parts.includes('scheduler'),
  });
  const { url, ca } = reference;
  return prepared(new Admin(url, { ca }, reference.token), reference, {
    name: 'reference',
    readyMs: reference.readyMs,
    get pids() {
      return reference.pids as Readonly<Record<string, number>>;
    },
    url,
    ca,
    addScheduler: () => reference.start('kube-scheduler'),
  });
}

/** Both with the same parts; the second is not left behind when the first fails. */
export async function withPair(parts: readonly ControlPart[], work: (pair: Pair) => Promise<void>): Promise<void> {
  const reference = await startOriginal(parts);
  try {
    const coracle = await startCoracle(parts);
    try {
      await work({ coracle, reference });
    } finally {
      await coracle.stop();
    }
  } finally {
    await reference.stop();
  }
}

type Started = Pick<Contender, 'name' | 'readyMs' | 'pids' | 'addScheduler'> & {
  readonly url: string;
  readonly ca: string;
};

/** Makes the namespace with its default account (no controllers do it), the account of the load, its rights and its token. */
async function prepared(admin: Admin, owner: { stop(): Promise<void> }, started: Started): Promise<Contender> {
  try {
    await create(admin, '/api/v1/namespaces', { metadata: { name: NAMESPACE } });
    for (const name of ['default', 'load'])
      await create(admin, `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`, { metadata: { name } });
    await create(admin, '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: 'load' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', name: 'load', namespace: NAMESPACE }],
    });
    const request = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 86_400 },
    };
    const answer = await admin.ask('POST', `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/load/token`, request);
    const token = (JSON.parse(answer.text) as { status: { token: string } }).status.token;
    const target = { url: started.url, ca: started.ca, token };
    return {
      name: started.name,
      readyMs: started.readyMs,
      get pids() {
        return started.pids;
      },
      target,
      ask: (method, path, body, contentType) => admin.ask(method, path, body, contentType),
      addScheduler: started.addScheduler,
      async stop() {
        admin.disconnect();
        await owner.stop();
      },
    };
  } catch (error) {
    admin.disconnect();
    await owner.stop();
    throw error;
  }
}

/** RBAC roles and namespaces of a server that has just become ready may follow a moment later. */
async function create(admin: Admin, path: string, object: object): Promise<void> {
  for (const from = performance.now(); ; await delay(POLL_MS)) {
    const { status, text } = await admin.ask('POST', path, object);
    if (status === 201 || status === 409) return;
    if (performance.now() - from > READY_TIMEOUT_MS) throw new Error(`POST ${path}: ${status} ${text}`);
  }
}

/** What is done around the measurements: HTTP/1.1, one request at a time, answers kept. */
class Admin {
  readonly #url: string;
  readonly #tls: https.AgentOptions;
  readonly #token: string | undefined;
  #agent: https.Agent;

  constructor(
    url: string,
    tls: { readonly ca: string; readonly cert?: string; readonly key?: string },
    token?: string,
  ) {
    this.#url = url;
    this.#tls = { keepAlive: true, maxSockets: 2, ...tls };
    this.#token = token;
    this.#agent = new https.Agent(this.#tls);
  }

  disconnect(): void {
    this.#agent.destroy();
    this.#agent = new https.Agent(this.#tls);
  }

  ask(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<Asked> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const request = https.request(
        `${this.#url}${path}`,
        {
          method,
          agent: this.#agent,
          headers: {
            accept: 'application/json',
            ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
            ...(payload === undefined
              ? {}
              : { 'content-type': contentType, 'content-length': Buffer.byteLength(payload) }),
          },
        },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
          answer.on('error', reject);
        },
      );
      request.on('error', reject);
      request.end(payload);
    });
  }
}
