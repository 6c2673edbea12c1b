// NamespaceLifecycle: nothing is made in a namespace that does not exist or is on its way out, and the system's own
// namespaces are not deleted.
import type { Clock } from '#base/clock.ts';
import type { Namespace } from '#generated/api/core-v1.ts';
import { StatusError } from '#machinery/status.ts';
import { find, type Lookup } from '../authentication/lookup.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin } from '../pipeline.ts';
import { admissionForbidden } from './forbidden.ts';

export interface NamespaceLifecycleDeps {
  readonly clock: Clock;
  readonly namespaces: Lookup<Namespace>;
}

const IMMORTAL: ReadonlySet<string> = new Set(['default', 'kube-system', 'kube-public']);
/** How long the copy of a namespace deleted through this server is not believed; upstream's. */
const FORCE_LIVE_MS = 30_000;

export class NamespaceLifecycle implements AdmissionPlugin {
  readonly name = 'NamespaceLifecycle';
  readonly #deps: NamespaceLifecycleDeps;
  /** Namespace deleted here → until when it is read live. Bounded by FORCE_LIVE_MS. */
  readonly #deleted = new Map<string, number>();

  constructor(deps: NamespaceLifecycleDeps) {
    this.#deps = deps;
  }

  handles(operation: AdmissionOperation, group: string, resource: string): boolean {
    if (operation === 'DELETE') return group === '' && resource === 'namespaces';
    return (
      (operation === 'CREATE' || operation === 'UPDATE') &&
      !(group === 'authorization.k8s.io' && resource === 'localsubjectaccessreviews')
    );
  }

  validate(a: AdmissionAttributes): void | Promise<void> {
    if (a.group === '' && a.resource === 'namespaces') return this.#namespace(a);
    if (a.namespace === '') return;
    const cached = this.#deps.namespaces.cached(undefined, a.namespace);
    const stale = a.operation === 'CREATE' && this.#mustReadLive(a.namespace);
    if (cached !== undefined && !stale) return this.#check(a, cached);
    return this.#later(a, stale);
  }

  #namespace(a: AdmissionAttributes): void {
    if (a.operation !== 'DELETE') return;
    if (IMMORTAL.has(a.name))
      throw StatusError.forbidden({ resource: 'namespaces' }, a.name, 'this namespace may not be deleted');
    const now = this.#deps.clock.now();
    for (const [name, until] of this.#deleted) if (until < now) this.#deleted.delete(name);
    this.#deleted.set(a.name, now + FORCE_LIVE_MS);
  }

  #mustReadLive(namespace: string): boolean {
    const until = this.#deleted.get(namespace);
    return until !== undefined && until >= this.#deps.clock.now();
  }

  async #later(a: AdmissionAttributes, live: boolean): Promise<void> {
    const { namespaces } = this.#deps;
    const namespace = live
      ? await namespaces.live(undefined, a.namespace)
      : await find(namespaces, undefined, a.namespace);
    if (namespace === undefined) throw StatusError.notFound({ resource: 'namespaces' }, a.namespace);
    this.#check(a, namespace);
  }

  #check(a: AdmissionAttributes, namespace: Namespace): void {
    if (a.operation !== 'CREATE') return;
    if (namespace.metadata.deletionTimestamp === undefined && namespace.status?.phase !== 'Terminating') return;
    const error = admissionForbidden(
      a,
      `unable to create new content in namespace ${a.namespace} because it is being terminated`,
    );
    throw new StatusError(error.code, error.reason, error.message, {
      ...error.details,
      causes: [
        ...(error.details?.causes ?? []),
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${a.namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    });
  }
}
