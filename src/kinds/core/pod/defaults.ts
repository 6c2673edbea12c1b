// Defaults of pods and pod templates that depend on other fields; the fixed ones are schema data (schema/static-defaults.ts).
import type { Container, Pod, PodSpec, Volume } from '#generated/api/core-v1.ts';

const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const REFERENCE = new RegExp(
  `^(?:[a-zA-Z0-9.-]+(?::[0-9]+)?/|\\[[a-fA-F0-9:]+\\](?::[0-9]+)?/)?${COMPONENT}(?:/${COMPONENT})*(?::\\w[\\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,})?$`,
);
const REFERENCE_MAX = 255;

/** Image without tag, or tagged latest, is pulled always; what is no image's name has no tag. */
export function imagePullPolicyFor(image: string | undefined): 'Always' | 'IfNotPresent' {
  const text = image ?? '';
  if (text.includes('@')) return 'IfNotPresent';
  if (text.length > REFERENCE_MAX || !REFERENCE.test(text)) return 'IfNotPresent';
  const name = text.slice(text.lastIndexOf('/') + 1);
  const colon = name.indexOf(':');
  return colon < 0 || name.slice(colon + 1) === 'latest' ? 'Always' : 'IfNotPresent';
}

const SOURCELESS_KEYS = 1;

function defaultVolume(volume: Volume): Volume {
  if (volume.image !== undefined && (volume.image.pullPolicy ?? '') === '')
    return { ...volume, image: { ...volume.image, pullPolicy: imagePullPolicyFor(volume.image.reference) } };
  return Object.keys(volume).length === SOURCELESS_KEYS && volume.name !== undefined
    ? { ...volume, emptyDir: {} }
    : volume;
}

function mapChanged<T>(list: readonly T[] | undefined, change: (item: T) => T): readonly T[] | undefined {
  if (list === undefined || list === null) return list;
  let changed = false;
  const next = list.map((item) => {
    const made = change(item);
    if (made !== item) changed = true;
    return made;
  });
  return changed ? next : list;
}

const withPullPolicy = <C extends { readonly image?: string; readonly imagePullPolicy?: string }>(container: C): C =>
  container.imagePullPolicy === undefined || container.imagePullPolicy === ''
    ? { ...container, imagePullPolicy: imagePullPolicyFor(container.image) }
    : container;

/** What pods and templates share. */
export function defaultPodSpec(spec: PodSpec): PodSpec {
  const serviceAccountName = spec.serviceAccountName || spec.serviceAccount;
  return {
    ...spec,
    ...(spec.volumes === undefined ? {} : { volumes: mapChanged(spec.volumes, defaultVolume) }),
    ...(spec.initContainers === undefined ? {} : { initContainers: mapChanged(spec.initContainers, withPullPolicy) }),
    containers: mapChanged(spec.containers, withPullPolicy) as readonly Container[],
    ...(spec.ephemeralContainers === undefined
      ? {}
      : { ephemeralContainers: mapChanged(spec.ephemeralContainers, withPullPolicy) }),
    // The old name is written beside the new one, always equal.
    ...(serviceAccountName === undefined || serviceAccountName === ''
      ? {}
      : { serviceAccountName, serviceAccount: serviceAccountName }),
  };
}

/** Requests left out are the limits (pods only, not templates). */
function withRequests(container: Container): Container {
  const limits = container.resources?.limits;
  if (limits === undefined) return container;
  const requests = container.resources?.requests ?? {};
  const missing = Object.keys(limits).filter((name) => !Object.hasOwn(requests, name));
  if (missing.length === 0) return container;
  const added = Object.fromEntries(missing.map((name) => [name, limits[name]!]));
  return { ...container, resources: { ...container.resources, requests: { ...requests, ...added } } };
}

const withHostPorts = (container: Container): Container => {
  const ports = mapChanged(container.ports, (port) =>
    port.hostPort === undefined ? { ...port, hostPort: port.containerPort } : port,
  );
  return ports === container.ports ? container : { ...container, ports };
};

export function defaultPod(pod: Pod): Pod {
  if (pod.spec === undefined) return pod;
  const shared = defaultPodSpec(pod.spec);
  const perContainer = (c: Container): Container => {
    const requested = withRequests(c);
    return shared.hostNetwork === true ? withHostPorts(requested) : requested;
  };
  return {
    ...pod,
    spec: {
      ...shared,
      containers: mapChanged(shared.containers, perContainer) as readonly Container[],
      ...(shared.initContainers === undefined
        ? {}
        : { initContainers: mapChanged(shared.initContainers, perContainer) }),
      enableServiceLinks: shared.enableServiceLinks ?? true,
    },
  };
}
