// Values of the downward API: fields of the pod and resources of its containers, for environment variables and volumes.
import type { ObjectFieldSelector, Pod, ResourceFieldSelector } from '#generated/api/core-v1.ts';
import { cpuMillis, quantityToNumber } from '#machinery/quantity.ts';
import { findContainer } from './containers.ts';

/** What is known of the node when a pod's values are read. */
export interface NodeFacts {
  readonly nodeName: string;
  readonly nodeIPs: readonly string[];
  readonly allocatableCpuMillis: number;
  readonly allocatableMemoryBytes: number;
  readonly allocatableStorageBytes: number;
}

/** Undefined when the field is not one the downward API offers. */
export function fieldValue(
  pod: Pod,
  selector: ObjectFieldSelector,
  facts: NodeFacts,
  podIPs: readonly string[],
): string | undefined {
  const { fieldPath } = selector;
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(fieldPath);
  if (keyed !== null) return pod.metadata[keyed[1] as 'labels' | 'annotations']?.[keyed[2]!] ?? '';
  switch (fieldPath) {
    case 'metadata.name':
      return pod.metadata.name ?? '';
    case 'metadata.namespace':
      return pod.metadata.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata.uid ?? '';
    case 'metadata.labels':
      return formatMap(pod.metadata.labels);
    case 'metadata.annotations':
      return formatMap(pod.metadata.annotations);
    case 'spec.nodeName':
      return facts.nodeName;
    case 'spec.serviceAccountName':
      return pod.spec?.serviceAccountName ?? '';
    case 'spec.host':
      return facts.nodeName;
    case 'status.hostIP':
      return facts.nodeIPs[0] ?? '';
    case 'status.hostIPs':
      return facts.nodeIPs.join(',');
    case 'status.podIP':
      return podIPs[0] ?? '';
    case 'status.podIPs':
      return podIPs.join(',');
    default:
      return undefined;
  }
}

const formatMap = (map: Readonly<Record<string, string>> | undefined): string =>
  Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([k, v]) => `${k}=${JSON.stringify(v)}`)
    .join('\n');

/** Limits that are not set read as the node's allocatable. Undefined when the resource is not offered. */
export function resourceValue(
  pod: Pod,
  selector: ResourceFieldSelector,
  defaultContainer: string,
  facts: NodeFacts,
): string | undefined {
  const container = findContainer(pod, selector.containerName ?? defaultContainer);
  if (container === undefined) return undefined;
  const [kind, name] = splitOnce(selector.resource, '.');
  if (kind !== 'limits' && kind !== 'requests') return undefined;
  const own = container.resources?.[kind]?.[name];
  const divisor = selector.divisor === undefined || selector.divisor === '0' ? undefined : selector.divisor;
  if (name === 'cpu') {
    const millis = own === undefined ? (kind === 'limits' ? facts.allocatableCpuMillis : 0) : cpuMillis(own);
    return String(Math.ceil(millis / Math.max(1, divisor === undefined ? 1000 : cpuMillis(divisor))));
  }
  const fallback =
    name === 'memory'
      ? facts.allocatableMemoryBytes
      : name === 'ephemeral-storage'
        ? facts.allocatableStorageBytes
        : name.startsWith('hugepages-')
          ? 0
          : undefined;
  if (fallback === undefined) return undefined;
  const bytes = own === undefined ? (kind === 'limits' ? fallback : 0) : quantityToNumber(own);
  return String(Math.ceil(bytes / Math.max(1, divisor === undefined ? 1 : quantityToNumber(divisor))));
}

function splitOnce(text: string, by: string): [string, string] {
  const at = text.indexOf(by);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
