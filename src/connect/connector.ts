// Which pod takes the next connection, kept current by a watch: resolves the target to pods, says each switch in one line, waits while
// nobody is ready, and says beforehand what forwarding means: the permission used, and the policies that it bypasses.
import type { SelfSubjectAccessReview } from '#generated/api/authorization-v1.ts';
import type { Pod, Service } from '#generated/api/core-v1.ts';
import {
  deployments,
  networkpolicies,
  pods as podResource,
  selfsubjectaccessreviews,
  services,
  statefulsets,
} from '#generated/resources.ts';
import { type Clock, sleep } from '#base/clock.ts';
import { describeError } from '#base/log.ts';
import type { Client, Informer, Informers } from '#client/client.ts';
import {
  formatLabelMatcher,
  formatLabelSelector,
  matcherOf,
  matcherOfMap,
  matchesLabels,
} from '#machinery/selectors.ts';
import { StatusError } from '#machinery/status.ts';
import { candidates, choose, containerPort, type Endpoint, type Role, whyNone } from './endpoints.ts';
import type { Picked } from './forwarder.ts';
import type { ConnectTarget } from './target.ts';

export interface ConnectorDeps {
  readonly client: Client;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly say: (line: string) => void;
  /** Asks a database whether it is read-only; undefined when it does not tell. Absent: nobody can ask. */
  readonly readOnly?: (endpoint: Endpoint, port: number, pod: Pod) => Promise<boolean | undefined>;
}

/** There is nothing to forward to, or no right to; the message is for the user. */
export class ConnectError extends Error {
  readonly code: 'NotFound' | 'Forbidden' | 'Unsupported';
  constructor(code: ConnectError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** An endpoint that refused is tried last for so long. */
const FAILED_MS = 3_000;
/** Without a change of a pod the choice is looked at again: failures are forgotten, roles move. */
const LOOK_AGAIN_MS = 1_000;
/** Ports of servers that have one primary. */
const DATABASE_PORTS = new Set([5432, 3306, 6379, 27_017]);
const MOST_POLICIES_NAMED = 3;

export class Connector {
  readonly #namespace: string;
  readonly #target: ConnectTarget;
  readonly #deps: ConnectorDeps;
  #service: Service | undefined;
  #pods: Informer<Pod> | undefined;
  #current: Endpoint | undefined;
  /** Uid → until when it is tried last. */
  readonly #failed = new Map<string, number>();
  /** Uid → what the server said about itself. */
  readonly #roles = new Map<string, Role>();
  #warnedOfRoles = false;
  #saidWaiting = '';
  #wake = Promise.withResolvers<void>();

  constructor(namespace: string, target: ConnectTarget, deps: ConnectorDeps) {
    this.#namespace = namespace;
    this.#target = target;
    this.#deps = deps;
  }

  /** Throws ConnectError when the target is not there, or may not be forwarded to. */
  async start(signal: AbortSignal): Promise<void> {
    const { informers } = this.#deps;
    const selection = await this.#selection();
    await this.#checkPermission();
    const list = await this.#allowed('list pods', () =>
      this.#deps.client.resource(podResource).list({ namespace: this.#namespace, ...selection }),
    );
    const pods = informers.informer(podResource, { namespace: this.#namespace, ...selection });
    this.#pods = pods;
    await informers.start(signal);
    pods.subscribe(() => this.#poke());
    await this.#warnOfPolicies(list.items);
  }

  /** Pods as they are now: for credentials. */
  get pods(): readonly Pod[] {
    return this.#pods?.list() ?? [];
  }

  /** The pod that would be taken now, without waiting. */
  get best(): Pod | undefined {
    const [best] = candidates(this.pods, this.#roles);
    return this.pods.find((p) => p.metadata.uid === best?.uid) ?? this.pods[0];
  }

  portOf(remote: string, pod: Pod): number | undefined {
    return containerPort(remote, this.#service, pod);
  }

  async pick(remote: string, signal: AbortSignal): Promise<Picked> {
    for (;;) {
      signal.throwIfAborted();
      const wake = this.#wake.promise;
      const pods = this.pods;
      const now = this.#deps.clock.monotonic();
      const failed = new Set([...this.#failed].filter(([, until]) => until > now).map(([uid]) => uid));
      const found = await this.#withRoles(pods, remote, signal);
      const endpoint = choose(found, this.#current?.uid, failed);
      const pod = pods.find((p) => p.metadata.uid === endpoint?.uid);
      if (endpoint === undefined || pod === undefined) {
        this.#sayWaiting(whyNone(pods));
        await Promise.race([wake, sleep(this.#deps.clock, LOOK_AGAIN_MS, signal)]);
        continue;
      }
      const port = containerPort(remote, this.#service, pod);
      if (port === undefined) throw new ConnectError('NotFound', `${this.#name()} has no port ${remote}`);
      this.#sayWaiting('');
      this.#switchTo(endpoint, found, port);
      return { endpoint, port };
    }
  }

  failed(endpoint: Endpoint, why: string): void {
    if (!this.#failed.has(endpoint.uid))
      this.#deps.say(`${nameOf(endpoint)} did not take a connection: ${firstLine(why)}`);
    this.#failed.set(endpoint.uid, this.#deps.clock.monotonic() + FAILED_MS);
    this.#roles.delete(endpoint.uid);
  }

  reached(endpoint: Endpoint): void {
    this.#failed.delete(endpoint.uid);
  }

  #poke(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  #name(): string {
    return `${this.#target.kind} ${this.#namespace}/${this.#target.name}`;
  }

  /** How the target's pods are selected. */
  async #selection(): Promise<{ readonly labelSelector?: string; readonly fieldSelector?: string }> {
    const { client } = this.#deps;
    const { kind, name } = this.#target;
    if (kind === 'pod') {
      if (
        (await this.#allowed('get pods', () => client.resource(podResource).get(this.#namespace, name))) === undefined
      )
        throw this.#missing();
      return { fieldSelector: `metadata.name=${name}` };
    }
    if (kind === 'service') {
      const service = await this.#allowed('get services', () => client.resource(services).get(this.#namespace, name));
      if (service === undefined) throw this.#missing();
      const selector = service.spec?.selector ?? {};
      if (Object.keys(selector).length === 0)
        throw new ConnectError(
          'Unsupported',
          `service ${this.#namespace}/${name} selects no pods: only pods can be forwarded to`,
        );
      this.#service = service;
      return { labelSelector: formatLabelMatcher(matcherOfMap(selector)) };
    }
    const ref = kind === 'deployment' ? deployments : statefulsets;
    const workload = await this.#allowed(`get ${ref.resource}.apps`, () =>
      client.resource(ref as typeof deployments).get(this.#namespace, name),
    );
    if (workload === undefined) throw this.#missing();
    return { labelSelector: formatLabelSelector(workload.spec?.selector) };
  }

  #missing(): ConnectError {
    return new ConnectError('NotFound', `there is no ${this.#name()}`);
  }

  async #allowed<T>(permission: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof StatusError && error.code === 403)
        throw new ConnectError(
          'Forbidden',
          `the permission to ${permission} in namespace ${this.#namespace} is missing`,
        );
      throw error;
    }
  }

  /** Asked beforehand, so that a missing right is said at once and not at the first connection. */
  async #checkPermission(): Promise<void> {
    const permission = `create pods/portforward in namespace ${this.#namespace}`;
    const review: SelfSubjectAccessReview = {
      metadata: {},
      spec: {
        resourceAttributes: {
          namespace: this.#namespace,
          verb: 'create',
          group: '',
          resource: 'pods',
          subresource: 'portforward',
        },
      },
    } as SelfSubjectAccessReview;
    try {
      const { status } = await this.#deps.client.resource(selfsubjectaccessreviews).create(review);
      if (status?.allowed === true) return this.#deps.say(`forwarding by the permission to ${permission}`);
    } catch (error) {
      return this.#deps.say(`whether you may ${permission} could not be asked: ${describeError(error)}`);
    }
    throw new ConnectError('Forbidden', `the permission to ${permission} is missing`);
  }

  /** A port-forward ends inside the pod's network: no policy sees it. */
  async #warnOfPolicies(pods: readonly Pod[]): Promise<void> {
    let names: readonly string[];
    try {
      const { items } = await this.#deps.client.resource(networkpolicies).list({ namespace: this.#namespace });
      names = items
        .filter((p) => p.spec?.policyTypes?.includes('Ingress') !== false)
        .filter((p) => pods.some((pod) => matchesLabels(matcherOf(p.spec?.podSelector), pod.metadata.labels)))
        .map((p) => p.metadata.name ?? '');
    } catch {
      return this.#deps.say(
        'note: a port-forward bypasses NetworkPolicy; whether one protects these pods you may not see',
      );
    }
    if (names.length === 0) return;
    const more = names.length > MOST_POLICIES_NAMED ? ` and ${names.length - MOST_POLICIES_NAMED} more` : '';
    this.#deps.say(
      `note: this bypasses NetworkPolicy ${names.slice(0, MOST_POLICIES_NAMED).join(', ')}${more}: that it works from here does not mean that it works from a pod`,
    );
  }

  /** Where several could take writes and labels do not tell, the servers are asked, once each. */
  async #withRoles(pods: readonly Pod[], remote: string, signal: AbortSignal): Promise<readonly Endpoint[]> {
    const found = candidates(pods, this.#roles);
    const unknown = found.filter((e) => e.role === 'unknown' && !this.#roles.has(e.uid));
    if (found.length < 2 || found[0]!.role === 'primary' || unknown.length === 0 || this.#deps.readOnly === undefined)
      return found;
    await Promise.all(
      unknown.map(async (endpoint) => {
        const pod = pods.find((p) => p.metadata.uid === endpoint.uid)!;
        const port = containerPort(remote, this.#service, pod);
        if (port === undefined || !DATABASE_PORTS.has(port)) return;
        const readOnly = await this.#deps.readOnly!(endpoint, port, pod).catch(() => undefined);
        this.#roles.set(endpoint.uid, readOnly === undefined ? 'unknown' : readOnly ? 'replica' : 'primary');
      }),
    );
    signal.throwIfAborted();
    return candidates(pods, this.#roles);
  }

  #switchTo(endpoint: Endpoint, found: readonly Endpoint[], port: number): void {
    const before = this.#current;
    this.#current = endpoint;
    if (before?.uid === endpoint.uid) return;
    const role = endpoint.role === 'unknown' ? '' : ` (${endpoint.role})`;
    const from = before === undefined ? '' : `${before.pod} is no longer taken: `;
    this.#deps.say(`${from}connections go to ${nameOf(endpoint)}${role}`);
    const unsure = found.length > 1 && endpoint.role !== 'primary' && DATABASE_PORTS.has(port);
    if (!unsure || this.#warnedOfRoles) return;
    this.#warnedOfRoles = true;
    this.#deps.say(
      endpoint.role === 'replica'
        ? 'note: no primary is ready: writes will be refused'
        : `note: which of ${found.length} pods takes writes cannot be told: no label says it, and the servers were not to be asked`,
    );
  }

  #sayWaiting(why: string): void {
    if (why !== '' && why !== this.#saidWaiting) this.#deps.say(`waiting for ${this.#name()}: ${why}`);
    this.#saidWaiting = why;
  }
}

const nameOf = ({ namespace, pod }: Endpoint): string => `${namespace}/${pod}`;
const firstLine = (text: string): string => text.trim().split('\n')[0] ?? '';
