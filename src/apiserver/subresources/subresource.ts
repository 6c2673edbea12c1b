// What a subresource is to the dispatcher. `list.ts` has all of them.
import type { ExchangeResponse, UpgradeRequest } from '#machinery/exchange.ts';
import type { KubeObject } from '#machinery/object.ts';
import type { AdmissionChain } from '../admission-chain.ts';
import type { RequestContext } from '../context.ts';
import type { Served } from '../served.ts';
import type { PatchDeps } from '../verbs/patch.ts';
import type { Deleter } from '../verbs/delete.ts';
import type { ServedResources } from '../served.ts';
import type { Clock } from '#base/clock.ts';
import type { Store } from '#store/store.ts';

export interface SubresourceDeps extends PatchDeps {
  readonly deleter: Deleter;
  readonly resources: ServedResources;
  readonly clock: Clock;
  readonly store: Store;
  readonly admission: AdmissionChain;
}

export interface Subresource {
  readonly name: string;
  /** `group/resource` it belongs to; undefined serves every resource that lists the name. */
  readonly resource?: string;
  /** Verbs it answers: get, create, update, patch. */
  readonly verbs: readonly string[];
  serve(served: Served, context: RequestContext, deps: SubresourceDeps): Promise<ExchangeResponse>;
}

/** A connect request: exec, attach, portforward, log, proxy. Authenticated, authorized and admitted when it gets here. */
export interface ConnectRequest {
  readonly context: RequestContext;
  readonly served: Served;
  /** The pod, service or node connected to; undefined when only its name counts (services and nodes through a proxy). */
  readonly object: KubeObject | undefined;
}

export interface ConnectHandler {
  /** `exec` */
  readonly name: string;
  /** `/pods`: group/resource. */
  readonly resource: string;
  /** Whether the object must exist before the handler runs (404 otherwise). */
  readonly needsObject: boolean;
  /** Answers a request without upgrade (log, proxy). Absent: 400 "Upgrade request required". */
  serve?(request: ConnectRequest): Promise<ExchangeResponse>;
  /** Takes over the socket and writes the response head itself. Throwing StatusError before anything is written sends that error. */
  upgrade?(request: ConnectRequest, upgrade: UpgradeRequest): Promise<void>;
}
