// The API's side of Ingress: the LoadBalancer Service in front of the nodes' proxies, the certificates they may read, the addresses in
// each Ingress' status, and events about what is wrong. What Ingresses mean is src/netmodel/ingress.ts, what serves them
// src/network/ingress/. All Ingresses are looked at together, since they may contradict each other.
import type { Node, Secret, Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { Ingress, IngressClass } from '#generated/api/networking-v1.ts';
import {
  endpointslices,
  ingressclasses,
  ingresses as ingressesRef,
  nodes as nodesRef,
  secrets as secretsRef,
  services as servicesRef,
} from '#generated/resources.ts';
import type { Informer } from '#client/client.ts';
import { type ObjectKey, splitKey } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import {
  buildIngressModel,
  classOf,
  INGRESS_SERVICE,
  type IngressModel,
  isOurs,
  secretsOf,
  servicesOf,
} from '#netmodel/ingress.ts';
import {
  CERTIFICATES_SECRET,
  DEFAULT_CERTIFICATE,
  DEFAULT_CERTIFICATE_NAME,
  readTlsSecret,
  type TlsSecret,
} from '#netmodel/ingress-certificates.ts';
import { createAuthority, createLeaf, LEAF_VALIDITY_MS, readCertificate } from '#pki/certificates.ts';
import { serviceOfSlice } from './endpointslice/endpointslice.ts';
import {
  certificateData,
  certificatesSecret,
  hasAddresses,
  INGRESS_MANAGER,
  ingressAddresses,
  ingressService,
  ingressSlices,
} from './ingress-objects.ts';
import { type ControllerDefinition, type ControllerDeps, done, type Outcome, watch } from './runtime/controller.ts';
import { sameValue } from './runtime/equality.ts';

/** The one key: everything about Ingresses. */
const ALL = 'ingresses';
/** Secrets of other types than TLS are not watched: looked at again after this. */
const SECRETS_AGAIN_MS = 30_000;
/** What is wrong for a moment only, while several objects are applied, is not told. */
const PATIENCE_MS = 2_000;
const RENEW_BEFORE_MS = 30 * 24 * 3_600_000;

export const ingressController: ControllerDefinition = {
  name: 'ingress-controller',
  identity: 'ingress-controller',
  build: (deps) => {
    const { informers } = deps;
    const of = {
      ingresses: informers.informer(ingressesRef),
      classes: informers.informer(ingressclasses),
      services: informers.informer(servicesRef),
      slices: informers.informer(endpointslices),
      nodes: informers.informer(nodesRef),
      secrets: informers.informer(secretsRef, { fieldSelector: 'type=kubernetes.io/tls' }),
      copies: informers.informer(secretsRef, {
        namespace: splitKey(CERTIFICATES_SECRET).namespace!,
        fieldSelector: `metadata.name=${splitKey(CERTIFICATES_SECRET).name}`,
      }),
    };
    const reconciler = new IngressReconciler({ ...deps, ...of });
    const always = (): readonly ObjectKey[] => [ALL];
    const whenNamed = ({ key }: { key: ObjectKey }): readonly ObjectKey[] => (reconciler.names(key) ? [ALL] : []);
    return {
      watches: [
        watch(of.ingresses, always),
        watch(of.classes, always),
        watch(of.services, whenNamed),
        watch(of.nodes, ({ old, object }) => (sameNode(old, object) ? [] : [ALL])),
        watch(of.secrets, whenNamed),
        watch(of.copies, ({ key }) => (key === CERTIFICATES_SECRET ? [ALL] : [])),
        watch(of.slices, ({ old, object }) =>
          [old, object].some((s) => s !== undefined && serviceOfSlice(s, INGRESS_MANAGER).length > 0) ? [ALL] : [],
        ),
      ],
      reconcile: () => reconciler.reconcile(),
      workers: 1,
    };
  },
};

interface IngressDeps extends Pick<ControllerDeps, 'client' | 'events' | 'clock'> {
  readonly ingresses: Informer<Ingress>;
  readonly classes: Informer<IngressClass>;
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  readonly nodes: Informer<Node>;
  readonly secrets: Informer<Secret>;
  readonly copies: Informer<Secret>;
}

/** Heartbeats change nodes all the time; only what slices are made of counts. */
function sameNode(old: Node | undefined, node: Node | undefined): boolean {
  const facts = (n: Node | undefined): unknown =>
    n === undefined
      ? undefined
      : [n.metadata.labels, n.status?.addresses, n.status?.conditions?.find((c) => c.type === 'Ready')?.status];
  return sameValue(facts(old), facts(node));
}

class IngressReconciler {
  readonly #deps: IngressDeps;
  /** Services and Secrets that Ingresses lead to, and what we made. */
  #named: ReadonlySet<ObjectKey> = new Set([INGRESS_SERVICE]);
  /** Problem as text → since when it is there, and whether it was told. */
  readonly #problems = new Map<string, { readonly sinceMs: number; told: boolean }>();
  /** Uid of an Ingress and its Secret, for which there is no room: told already. */
  #crowdedOut: ReadonlySet<string> = new Set();
  /** Made here and perhaps not in the cache yet. */
  #defaultPem: string | undefined;

  constructor(deps: IngressDeps) {
    this.#deps = deps;
  }

  names(key: ObjectKey): boolean {
    return this.#named.has(key);
  }

  async reconcile(): Promise<Outcome> {
    const { ingresses, classes, services } = this.#deps;
    const all = ingresses.list();
    const ours = all.filter((i) => isOurs(i, classes.list()));
    this.#named = new Set([INGRESS_SERVICE, ...ours.flatMap((i) => [...secretsOf(i), ...servicesOf(i)])]);
    const secrets = await this.#readSecrets(ours);
    const model = buildIngressModel({
      ingresses: all,
      classes: classes.list(),
      service: (key) => services.get(key),
      // Endpoints come and go: that there are none is for `kubectl describe` and `why`, not for events.
      slices: () => [],
      certificate: (key) => secrets.found.get(key)!,
    });
    const service = ours.length > 0 ? await this.#ensureService() : services.get(INGRESS_SERVICE);
    if (service !== undefined) await this.#syncSlices(service);
    await this.#syncStatus(model, service);
    // A cluster that never had an Ingress has nothing of this.
    if (ours.length > 0 || this.#deps.copies.get(CERTIFICATES_SECRET) !== undefined)
      await this.#syncCertificates(model, secrets.found);
    const waitMs = this.#tell(model);
    const again = [waitMs, secrets.unwatched ? SECRETS_AGAIN_MS : undefined].filter((ms) => ms !== undefined);
    return again.length === 0 ? done : { requeueAfterMs: Math.min(...again) };
  }

  /** From the cache those of the TLS type, the others live. */
  async #readSecrets(
    ours: readonly Ingress[],
  ): Promise<{ found: ReadonlyMap<ObjectKey, TlsSecret>; unwatched: boolean }> {
    const found = new Map<ObjectKey, TlsSecret>();
    let unwatched = false;
    for (const key of new Set(ours.flatMap(secretsOf))) {
      let secret = this.#deps.secrets.get(key);
      if (secret === undefined) {
        const { namespace, name } = splitKey(key);
        secret = await this.#deps.client.resource(secretsRef).get(namespace, name);
        unwatched = true;
      }
      found.set(key, readTlsSecret(key, secret));
    }
    return { found, unwatched };
  }

  async #syncCertificates(model: IngressModel, secrets: ReadonlyMap<ObjectKey, TlsSecret>): Promise<void> {
    const { client, copies, ingresses, events } = this.#deps;
    const present = copies.get(CERTIFICATES_SECRET);
    const pems = new Map([...secrets].flatMap(([key, s]) => (s.usable ? [[key, s.pem] as const] : [])));
    const { data, left } = certificateData(model, pems, await this.#defaultCertificate(present));
    const crowdedOut = new Set<string>();
    for (const { ingress: key, secret } of left) {
      const ingress = ingresses.get(key)!;
      const message = `the certificate of Secret ${secret} finds no room: those of all Ingresses together may have 1 MiB`;
      const text = `${ingress.metadata.uid} ${secret}`;
      crowdedOut.add(text);
      if (!this.#crowdedOut.has(text)) events.event(ingress, ingressesRef, 'Warning', 'TooManyCertificates', message);
    }
    this.#crowdedOut = crowdedOut;
    if (present === undefined) await client.resource(secretsRef).create(certificatesSecret(data));
    else if (!sameValue(present.data, data)) await client.resource(secretsRef).update({ ...present, data });
  }

  /** Shown to clients whose name has no other; nobody trusts it. */
  async #defaultCertificate(present: Secret | undefined): Promise<string> {
    const nowMs = this.#deps.clock.now();
    const kept = present?.data?.[DEFAULT_CERTIFICATE];
    const candidates = [
      kept === undefined ? undefined : Buffer.from(kept, 'base64').toString('utf8'),
      this.#defaultPem,
    ];
    const good = candidates.find((pem) => pem !== undefined && isFresh(pem, nowMs));
    if (good !== undefined) return good;
    const authority = await createAuthority('Coracle Ingress', nowMs);
    const pair = await createLeaf(authority, {
      commonName: DEFAULT_CERTIFICATE_NAME,
      names: { dnsNames: ['ingress.invalid'], ipAddresses: [] },
      extendedUsages: ['server auth'],
      notBeforeMs: nowMs - 300_000,
      notAfterMs: nowMs + LEAF_VALIDITY_MS,
    });
    this.#defaultPem = pair.certificate + pair.key;
    return this.#defaultPem;
  }

  async #ensureService(): Promise<Service> {
    const { client, services } = this.#deps;
    const present = services.get(INGRESS_SERVICE);
    if (present !== undefined) return present;
    const { namespace, name } = splitKey(INGRESS_SERVICE);
    const live = await client.resource(servicesRef).get(namespace, name);
    return live ?? client.resource(servicesRef).create(ingressService());
  }

  async #syncSlices(service: Service): Promise<void> {
    const { client, nodes, slices } = this.#deps;
    const wanted = ingressSlices(service, nodes.list());
    const present = slices
      .listNamespace(service.metadata.namespace!)
      .filter((s) => serviceOfSlice(s, INGRESS_MANAGER).includes(INGRESS_SERVICE));
    const resource = client.resource(endpointslices);
    for (const slice of wanted) {
      const old = present.find((s) => s.metadata.name === slice.metadata.name);
      if (old === undefined) await resource.create(slice);
      else if (!sameValue([old.endpoints, old.ports], [slice.endpoints, slice.ports]))
        await resource.update({ ...old, endpoints: slice.endpoints!, ports: slice.ports! });
    }
    for (const old of present)
      if (!wanted.some((s) => s.metadata.name === old.metadata.name))
        await resource.delete(old.metadata.namespace, old.metadata.name!, {
          preconditions: { uid: old.metadata.uid! },
        });
  }

  /** Our address into what we serve; out of what was ours and is nobody's now. */
  async #syncStatus(model: IngressModel, service: Service | undefined): Promise<void> {
    const addresses = ingressAddresses(service);
    const left = addresses.length === 0 ? [] : model.unclaimed.filter((i) => hasAddresses(i, addresses));
    const wrong = [
      ...model.ingresses.filter((i) => !hasAddresses(i, addresses)).map((i) => ({ ingress: i, ingresses: addresses })),
      ...left.map((i) => ({ ingress: i, ingresses: [] })),
    ];
    for (const { ingress, ingresses } of wrong) {
      if (ingress.metadata.deletionTimestamp !== undefined) continue;
      const status = { loadBalancer: ingresses.length === 0 ? {} : { ingress: ingresses } };
      try {
        await this.#deps.client.resource(ingressesRef).updateStatus({ ...ingress, status });
      } catch (error) {
        if (!isStatus(error, 'NotFound')) throw error;
      }
    }
  }

  /** Tells what has been wrong for a while; milliseconds until something else has. */
  #tell(model: IngressModel): number | undefined {
    const { ingresses, events, clock } = this.#deps;
    const nowMs = clock.monotonic();
    let waitMs: number | undefined;
    const present = new Set<string>();
    for (const problem of model.problems) {
      const ingress = ingresses.get(problem.ingress);
      // Without a class it may be for a controller that takes those; `why` tells of it.
      if (ingress === undefined || classOf(ingress) === undefined) continue;
      const text = `${ingress.metadata.uid} ${problem.code} ${problem.field} ${problem.message}`;
      present.add(text);
      const known = this.#problems.get(text) ?? { sinceMs: nowMs, told: false };
      this.#problems.set(text, known);
      const leftMs = known.sinceMs + PATIENCE_MS - nowMs;
      if (known.told) continue;
      if (leftMs > 0) waitMs = Math.min(waitMs ?? leftMs, leftMs);
      else {
        known.told = true;
        events.event(ingress, ingressesRef, 'Warning', problem.code, `${problem.field}: ${problem.message}`);
      }
    }
    for (const text of this.#problems.keys()) if (!present.has(text)) this.#problems.delete(text);
    return waitMs;
  }
}

function isFresh(pem: string, nowMs: number): boolean {
  try {
    return readCertificate(pem).notAfterMs - nowMs > RENEW_BEFORE_MS;
  } catch {
    // Somebody wrote nonsense there: make a new one.
    return false;
  }
}
