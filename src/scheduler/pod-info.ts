// A pod with everything about it that scheduling asks for again and again, worked out once.
import type { Pod, PodAffinityTerm } from '#generated/api/core-v1.ts';
import { type Resources, requestsForScoring, requestsOf } from './resources.ts';
import { keyOf, type ObjectKey } from '#machinery/object.ts';
import { type LabelMatcher, type Labels, matcherOf, matchesLabels } from '#machinery/selectors.ts';

export interface HostPort {
  readonly protocol: string;
  /** `0.0.0.0` is every address. */
  readonly ip: string;
  readonly port: number;
}

export interface AffinityTerm {
  readonly topologyKey: string;
  readonly selector: LabelMatcher;
  readonly namespaces: readonly string[];
  /** Namespaces by label, besides the named ones. */
  readonly namespaceSelector: LabelMatcher | undefined;
  /** Of preferred terms; 0 for required ones. */
  readonly weight: number;
}

export interface PodInfo {
  readonly key: ObjectKey;
  readonly pod: Pod;
  readonly priority: number;
  readonly requests: Resources;
  readonly scoringRequests: Resources;
  readonly hostPorts: readonly HostPort[];
  readonly affinity: readonly AffinityTerm[];
  readonly antiAffinity: readonly AffinityTerm[];
  readonly preferredAffinity: readonly AffinityTerm[];
  readonly preferredAntiAffinity: readonly AffinityTerm[];
  /** Names of the claims it mounts (those of ephemeral volumes, too), in its namespace. */
  readonly claims: readonly { readonly name: string; readonly ephemeral: boolean }[];
}

const NONE: readonly never[] = [];

export function makePodInfo(pod: Pod): PodInfo {
  const { affinity, volumes = NONE } = pod.spec ?? {};
  const required = (terms: readonly PodAffinityTerm[] | undefined) => terms?.map((t) => makeTerm(pod, t, 0)) ?? NONE;
  const preferred = (
    terms: readonly { readonly weight: number; readonly podAffinityTerm: PodAffinityTerm }[] | undefined,
  ) => terms?.map((t) => makeTerm(pod, t.podAffinityTerm, t.weight)) ?? NONE;
  const claims: { name: string; ephemeral: boolean }[] = [];
  for (const volume of volumes) {
    if (volume.persistentVolumeClaim !== undefined)
      claims.push({ name: volume.persistentVolumeClaim.claimName, ephemeral: false });
    else if (volume.ephemeral !== undefined)
      claims.push({ name: `${pod.metadata.name}-${volume.name}`, ephemeral: true });
  }
  return {
    key: keyOf(pod),
    pod,
    priority: pod.spec?.priority ?? 0,
    requests: requestsOf(pod),
    scoringRequests: requestsForScoring(pod),
    hostPorts: hostPortsOf(pod),
    affinity: required(affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    antiAffinity: required(affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    preferredAffinity: preferred(affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    preferredAntiAffinity: preferred(affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    claims,
  };
}

/** matchLabelKeys and mismatchLabelKeys are already part of the selector: the API server merges them at creation. */
function makeTerm(pod: Pod, term: PodAffinityTerm, weight: number): AffinityTerm {
  const named = term.namespaces ?? NONE;
  const own = named.length === 0 && term.namespaceSelector === undefined;
  return {
    topologyKey: term.topologyKey,
    selector: matcherOf(term.labelSelector),
    namespaces: own ? [pod.metadata.namespace ?? ''] : named,
    namespaceSelector: term.namespaceSelector === undefined ? undefined : matcherOf(term.namespaceSelector),
    weight,
  };
}

/** `namespaceLabels`: labels of a namespace, for terms that select namespaces. */
export function termMatches(
  term: AffinityTerm,
  pod: Pod,
  namespaceLabels: (namespace: string) => Labels | undefined,
): boolean {
  const namespace = pod.metadata.namespace ?? '';
  const there =
    term.namespaces.includes(namespace) ||
    (term.namespaceSelector !== undefined && matchesLabels(term.namespaceSelector, namespaceLabels(namespace)));
  return there && matchesLabels(term.selector, pod.metadata.labels);
}

function hostPortsOf(pod: Pod): readonly HostPort[] {
  const out: HostPort[] = [];
  const { containers = NONE, initContainers = NONE } = pod.spec ?? {};
  for (const container of [...containers, ...initContainers.filter((c) => c.restartPolicy === 'Always')]) {
    for (const port of container.ports ?? NONE) {
      if (port.hostPort === undefined || port.hostPort === 0) continue;
      out.push({
        protocol: port.protocol ?? 'TCP',
        ip: port.hostIP === undefined || port.hostIP === '' ? '0.0.0.0' : port.hostIP,
        port: port.hostPort,
      });
    }
  }
  return out.length === 0 ? NONE : out;
}
