// The seams of the request pipeline: request info → authentication → audit → impersonation → (flow control) →
// authorization → verb. Authenticators, authorizers, admission plugins and the audit sink implement these interfaces.
import type { KubeObject } from '#machinery/object.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import type { ExchangeRequest, UserInfo } from '#machinery/exchange.ts';

/** What a request is about, read from its method and path alone. */
export interface RequestInfo {
  readonly isResourceRequest: boolean;
  /** Path without query. */
  readonly path: string;
  /** get, list, watch, create, update, patch, delete, deletecollection; for non-resource paths the lower-case method. */
  readonly verb: string;
  readonly apiGroup: string;
  readonly apiVersion: string;
  /** '' for cluster-scoped requests and lists of all namespaces. For `namespaces/x` itself: x. */
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  /** What follows the subresource (`…/proxy/this/part`), with its leading slash; '' when nothing does. */
  readonly rest: string;
  readonly query: URLSearchParams;
}

/** `warnings` are sent as Warning headers. */
export interface Authentication {
  readonly user: UserInfo;
  /** Names for the audit log: how the user was recognised (`x509`, `token`, …). */
  readonly method?: string;
  readonly warnings?: readonly string[];
}

export interface Authenticator {
  /** Undefined: no credentials this authenticator knows. Throws StatusError(401) for credentials that are wrong. */
  authenticate(request: ExchangeRequest): Promise<Authentication | undefined>;
}

/** What is asked of an authorizer: RequestInfo and the user, without the bytes. */
export interface AuthorizerAttributes {
  readonly user: UserInfo;
  readonly verb: string;
  readonly isResourceRequest: boolean;
  readonly namespace: string;
  readonly apiGroup: string;
  readonly apiVersion: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  /** Non-resource requests. */
  readonly path: string;
  /** Selectors of lists, watches and deletecollections, as sent. */
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface Decision {
  readonly decision: 'allow' | 'deny' | 'no-opinion';
  readonly reason: string;
}

export interface Authorizer {
  /** Synchronous answers are preferred: every request waits for it. */
  authorize(attributes: AuthorizerAttributes): Decision | Promise<Decision>;
}

/** SelfSubjectRulesReview asks this of authorizers that can list. */
export interface RuleResolver {
  rulesFor(
    user: UserInfo,
    namespace: string,
  ): {
    readonly resourceRules: readonly {
      readonly verbs: readonly string[];
      readonly apiGroups: readonly string[];
      readonly resources: readonly string[];
      readonly resourceNames?: readonly string[];
    }[];
    readonly nonResourceRules: readonly {
      readonly verbs: readonly string[];
      readonly nonResourceURLs: readonly string[];
    }[];
    readonly incomplete: boolean;
    readonly evaluationError?: string;
  };
}

export type AdmissionOperation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

export interface AdmissionAttributes {
  readonly user: UserInfo;
  readonly operation: AdmissionOperation;
  /** The request's verb: create, update, patch, delete, deletecollection, connect. */
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  /** '' for the resource itself. */
  readonly subresource: string;
  readonly kind: string;
  /** '' for cluster-scoped objects. */
  readonly namespace: string;
  /** '' for a create with generateName whose name is not made yet. */
  readonly name: string;
  /** The new object in the storage version; undefined on DELETE and CONNECT. For subresources whose body is another kind: that body. */
  readonly object: KubeObject | undefined;
  /** What stands in the store; undefined on CREATE. */
  readonly oldObject: KubeObject | undefined;
  /** CreateOptions, UpdateOptions, DeleteOptions …, or the connect options. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly dryRun: boolean;
  readonly definition: ResourceDefinition | undefined;
  /** Adds a Warning header. */
  warn(text: string): void;
  /** Adds an annotation to the audit event. */
  annotate(key: string, value: string): void;
}

/** Plugins never mutate; throw StatusError to refuse. */
export interface AdmissionPlugin {
  readonly name: string;
  /** Cheap filter, asked before admit and validate; absent means every operation. */
  handles?(operation: AdmissionOperation, group: string, resource: string, subresource: string): boolean;
  /** Returns the object as it shall be written (the same one when nothing changes). */
  admit?(attributes: AdmissionAttributes): KubeObject | undefined | Promise<KubeObject | undefined>;
  validate?(attributes: AdmissionAttributes): void | Promise<void>;
}

export type AuditStage = 'RequestReceived' | 'ResponseStarted' | 'ResponseComplete' | 'Panic';

/** One request as the audit log sees it. The sink decides by policy what it keeps. */
export interface AuditRecord {
  readonly auditId: string;
  readonly stage: AuditStage;
  readonly info: RequestInfo;
  readonly method: string;
  readonly uri: string;
  readonly user: UserInfo;
  readonly impersonatedUser: UserInfo | undefined;
  readonly sourceIPs: readonly string[];
  readonly userAgent: string;
  /** HTTP status; undefined before the response. */
  readonly code: number | undefined;
  /** The error's message, when the request failed. */
  readonly message: string | undefined;
  readonly receivedMs: number;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface AuditSink {
  /** Never throws, never blocks. */
  record(record: AuditRecord): void;
}
