// The audit log: one line of JSON (audit.k8s.io/v1 Event) for each request that the policy keeps. The built-in policy
// keeps, at level Metadata, who entered containers, tunnelled into the cluster or read Secrets. Lines wait in a bounded
// buffer; no request ever waits for the sink: when it cannot follow, lines are dropped and counted.
import type { Clock } from '#base/clock.ts';
import type { Counter } from '#base/metrics.ts';
import type { Log } from '#base/log.ts';
import type { UserInfo } from '#machinery/exchange.ts';
import { formatMicroTime } from '#machinery/time.ts';
import type { AuditRecord, AuditSink, AuditStage, RequestInfo } from './pipeline.ts';
import { apiUserInfo } from './authentication/reviews.ts';

export type AuditLevel = 'None' | 'Metadata';

/** One rule of a policy, in the shape of audit.k8s.io/v1 Policy rules; the first that matches decides. Absent lists match
 *  everything. A policy file is read into these. */
export interface AuditRule {
  readonly level: AuditLevel;
  readonly users?: readonly string[];
  readonly userGroups?: readonly string[];
  readonly verbs?: readonly string[];
  // Entries as upstream: `pods`, `pods/log`, `*`, `pods/*`, `*/status`.
  readonly resources?: readonly { readonly group: string; readonly resources: readonly string[] }[];
  readonly namespaces?: readonly string[];
  /** Exact paths, or a prefix ending in `*`; such a rule matches non-resource requests only. */
  readonly nonResourceURLs?: readonly string[];
  readonly omitStages?: readonly AuditStage[];
}

/** Kept by default. Reads of Secrets by watch count once, when the watch begins. */
export const DEFAULT_AUDIT_POLICY: readonly AuditRule[] = [
  {
    level: 'Metadata',
    resources: [
      {
        group: '',
        resources: [
          'pods/exec',
          'pods/attach',
          'pods/portforward',
          'pods/ephemeralcontainers',
          'pods/proxy',
          'services/proxy',
          'nodes/proxy',
        ],
      },
    ],
    omitStages: ['RequestReceived'],
  },
  {
    level: 'Metadata',
    verbs: ['get', 'list', 'watch'],
    resources: [{ group: '', resources: ['secrets'] }],
    omitStages: ['RequestReceived'],
  },
  { level: 'None' },
];

/** Where lines go; resolves when the batch is written. */
export interface AuditOutput {
  write(text: string): Promise<void>;
}

export interface AuditLogDeps {
  readonly clock: Clock;
  readonly output: AuditOutput;
  readonly log: Log;
  readonly policy?: readonly AuditRule[];
  /** Counts lines that were dropped (upstream: apiserver_audit_error_total). */
  readonly dropped?: Counter;
}

/** Lines waiting for the sink: some megabytes at most. */
const MAX_WAITING_LINES = 10_000;
/** Lines joined into one write. */
const MAX_BATCH_LINES = 500;

export interface AuditLog extends AuditSink {
  /** Resolves when everything recorded so far has been handed to the output. */
  flush(): Promise<void>;
}

export function createAuditLog(deps: AuditLogDeps): AuditLog {
  return new BufferedAuditLog(deps);
}

class BufferedAuditLog implements AuditLog {
  readonly #deps: AuditLogDeps;
  readonly #policy: readonly AuditRule[];
  /** Lines not written yet, oldest first. */
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;
  #droppedSinceWarning = 0;

  constructor(deps: AuditLogDeps) {
    this.#deps = deps;
    this.#policy = deps.policy ?? DEFAULT_AUDIT_POLICY;
  }

  record(record: AuditRecord): void {
    const rule = ruleFor(this.#policy, record.info, record.user);
    if (rule === undefined || rule.level === 'None' || rule.omitStages?.includes(record.stage)) return;
    if (this.#waiting.length >= MAX_WAITING_LINES) {
      this.#droppedSinceWarning++;
      this.#deps.dropped?.inc();
      return;
    }
    this.#waiting.push(`${JSON.stringify(auditEvent(record, rule.level, this.#deps.clock.now()))}\n`);
    this.#writing ??= this.#drain();
  }

  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #drain(): Promise<void> {
    // Let the requests of this turn gather into one write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, MAX_BATCH_LINES);
      this.#waiting = this.#waiting.slice(batch.length);
      try {
        await this.#deps.output.write(batch.join(''));
      } catch (error) {
        this.#droppedSinceWarning += batch.length;
        this.#deps.dropped?.inc(batch.length);
        this.#deps.log.error('audit log cannot be written', { error });
      }
      if (this.#droppedSinceWarning > 0) {
        this.#deps.log.warn('audit events were lost', { count: this.#droppedSinceWarning });
        this.#droppedSinceWarning = 0;
      }
    }
    this.#writing = undefined;
  }
}

/** The first rule that matches the request; undefined when none does. */
export function ruleFor(policy: readonly AuditRule[], info: RequestInfo, user: UserInfo): AuditRule | undefined {
  return policy.find((rule) => matches(rule, info, user));
}

function matches(rule: AuditRule, info: RequestInfo, user: UserInfo): boolean {
  const { users, userGroups, verbs, namespaces, resources, nonResourceURLs } = rule;
  if (users !== undefined && !users.includes(user.name)) return false;
  if (userGroups !== undefined && !userGroups.some((g) => user.groups.includes(g))) return false;
  if (verbs !== undefined && !verbs.includes(info.verb)) return false;
  if (resources !== undefined || namespaces !== undefined) {
    if (!info.isResourceRequest) return false;
    if (namespaces !== undefined && !namespaces.includes(info.namespace)) return false;
    return (
      resources === undefined ||
      resources.some((r) => r.group === info.apiGroup && r.resources.some((p) => resourceMatches(p, info)))
    );
  }
  if (nonResourceURLs !== undefined) {
    return (
      !info.isResourceRequest &&
      nonResourceURLs.some((u) => (u.endsWith('*') ? info.path.startsWith(u.slice(0, -1)) : u === info.path))
    );
  }
  return true;
}

function resourceMatches(pattern: string, { resource, subresource }: RequestInfo): boolean {
  if (pattern === '*') return true;
  const [wanted, wantedSub = ''] = pattern.split('/');
  if (wanted !== '*' && wanted !== resource) return false;
  return wantedSub === '*' || wantedSub === subresource;
}

/** The event as upstream writes it at level Metadata. */
export function auditEvent(record: AuditRecord, level: AuditLevel, nowMs: number): Readonly<Record<string, unknown>> {
  const { info } = record;
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level,
    auditID: record.auditId,
    stage: record.stage,
    requestURI: record.uri,
    verb: info.verb,
    user: apiUserInfo(record.user),
    ...(record.impersonatedUser === undefined ? {} : { impersonatedUser: apiUserInfo(record.impersonatedUser) }),
    sourceIPs: record.sourceIPs,
    userAgent: record.userAgent,
    ...(info.isResourceRequest
      ? {
          objectRef: {
            resource: info.resource,
            ...(info.namespace === '' ? {} : { namespace: info.namespace }),
            ...(info.name === '' ? {} : { name: info.name }),
            ...(info.apiGroup === '' ? {} : { apiGroup: info.apiGroup }),
            apiVersion: info.apiVersion,
            ...(info.subresource === '' ? {} : { subresource: info.subresource }),
          },
        }
      : {}),
    ...(record.code === undefined
      ? {}
      : {
          responseStatus: {
            metadata: {},
            ...(record.message === undefined ? {} : { status: 'Failure', message: record.message }),
            code: record.code,
          },
        }),
    requestReceivedTimestamp: formatMicroTime(record.receivedMs),
    stageTimestamp: formatMicroTime(nowMs),
    ...(Object.keys(record.annotations).length === 0 ? {} : { annotations: record.annotations }),
  };
}
