// address: an address that was typed in; whose is it now?
import type { Facts } from '../facts.ts';
import { command, evidence, type Finding, finding, found, type LinkResult, note, ok } from '../finding.ts';
import { backendsOf, isPodRange, isServiceRange, type Located, podAt } from '../locate.ts';
import { isAddress, slicesOf } from '../meaning.ts';
import { outcomeOf } from '../outcome.ts';
import {
  containerPorts,
  fieldOf,
  nameOf,
  ownerField,
  namespaceOf,
  ownerOf,
  patchCommand,
  pathOf,
  podField,
  selectedPods,
  serviceField,
  stableLabels,
} from '../pods.ts';
import { nearestPods } from './endpoint.ts';

/** The port on which the protocol's servers are usually found. */
const USUAL: Readonly<Record<string, { readonly port: number; readonly image: RegExp }>> = {
  postgres: { port: 5432, image: /postgres|pgbouncer|timescale|postgis|pgpool/ },
  mysql: { port: 3306, image: /mysql|mariadb|percona/ },
  redis: { port: 6379, image: /redis|valkey|dragonfly/ },
  amqp: { port: 5672, image: /rabbitmq/ },
  mongodb: { port: 27017, image: /mongo/ },
};

export function checkAddress(facts: Facts, located: Located): LinkResult | undefined {
  const manual = staleEndpoints(facts, located);
  if (manual !== undefined) return manual;
  const address = isAddress(located.host)
    ? located.host
    : located.meaning?.kind === 'hosts'
      ? located.meaning.address
      : undefined;
  if (address === undefined || facts.target.kind !== 'address') return undefined;
  if (facts.source.at === 'laptop' && !outcomeOf(facts.main).connected) return undefined;
  const service = facts.objects.services.find((s) => s.spec?.clusterIPs?.includes(address));
  if (service !== undefined) return ok('address', `${address} is the cluster IP of Service ${pathOf(service)}`);
  const pod = podAt(facts, address);
  if (pod !== undefined) return reused(facts, located, address) ?? ok('address', `${address} is pod ${pathOf(pod)}'s`);
  if (!isPodRange(facts, address) && !isServiceRange(facts, address)) return undefined;
  if (facts.denied.some((d) => d.kind === 'pods'))
    return {
      link: 'address',
      state: 'unknown',
      detail: `whose ${address} is may not be read`,
      evidence: [],
      findings: [],
    };
  const what = isPodRange(facts, address) ? 'pod' : 'Service';
  const meant = servers(facts, located);
  const names = meant.map((s) => `${nameOf(s)}.${namespaceOf(s)}`);
  return found('address', [
    finding('PodIPStale', {
      object: whereWritten(facts, address) ?? (meant.length === 1 ? serviceField(meant[0]!) : undefined),
      message: `${address} is in the range of ${what} addresses and no ${what} has it now: the one that had it is gone`,
      evidence: [evidence('status.podIP of all pods', `none is ${address}`)],
      cure: [
        note(
          names.length === 0
            ? 'use the name of the Service in front of the pod: NAME.NAMESPACE'
            : `use ${names.map((n) => facts.target.text.replace(address, n)).join(' or ')}`,
        ),
        ...envCures(facts, address, names[0]),
      ],
    }),
  ]);
}

/** An address that belongs to a pod which is no server of what is asked for: it was another's before. */
function reused(facts: Facts, located: Located, address: string): LinkResult | undefined {
  const pod = podAt(facts, address)!;
  const usual = USUAL[located.protocol];
  const outcome = outcomeOf(facts.main);
  const ports = containerPorts(pod);
  const declares = ports.some((p) => p.port === located.port);
  const looks =
    usual === undefined
      ? declares
      : declares || (pod.spec?.containers ?? []).some((c) => usual.image.test(c.image ?? ''));
  const answersRight = outcome.connected && outcome.result?.handshake?.outcome !== 'wrong-protocol';
  if (looks || answersRight) return undefined;
  const meant = servers(facts, located).filter((s) => !selectedPods(s, facts.objects.pods).includes(pod));
  if (meant.length === 0) return undefined;
  const since = pod.status?.startTime ?? pod.metadata.creationTimestamp ?? '';
  const names = meant.map((s) => `${nameOf(s)}.${namespaceOf(s)}`);
  const cause: Finding = finding('PodIPReused', {
    object: podField(pod, 'status.podIP'),
    message: `${address} is pod ${pathOf(pod)}'s since ${since}, which is no ${located.protocol === 'tcp' ? `server of port ${located.port}` : `${located.protocol} server`}; the pod that had it before is gone`,
    evidence: [
      evidence(
        `Pod ${pathOf(pod)} status.podIP`,
        `${address} since ${since}; images ${(pod.spec?.containers ?? []).map((c) => c.image).join(', ')}`,
      ),
    ],
    cure: [
      note(`use ${names.map((n) => facts.target.text.replace(address, n)).join(' or ')}`),
      ...envCures(facts, address, names[0]),
    ],
    // A server need not declare its port: without a probe it may well be there.
    certainty: outcome.made ? 'sure' : 'likely',
  });
  return found('address', [cause]);
}

/** Services that have the port, or whose pods look like servers of the protocol: nearest namespace first. */
function servers(facts: Facts, located: Located) {
  const usual = USUAL[located.protocol];
  const fits = facts.objects.services.filter((s) => {
    if (pathOf(s) === 'default/kubernetes' || namespaceOf(s) === 'kube-system') return false;
    if (s.spec?.ports?.some((p) => p.port === located.port) === true) return true;
    return (
      usual !== undefined &&
      selectedPods(s, facts.objects.pods).some((p) => p.spec?.containers.some((c) => usual.image.test(c.image ?? '')))
    );
  });
  const looks = (s: (typeof fits)[number]) =>
    usual !== undefined &&
    selectedPods(s, facts.objects.pods).some((p) => p.spec?.containers.some((c) => usual.image.test(c.image ?? '')));
  const reused = podAt(facts, located.host)?.metadata.namespace;
  const order = (s: (typeof fits)[number]) =>
    (looks(s) ? 0 : 4) + (namespaceOf(s) === facts.namespace ? 0 : namespaceOf(s) === reused ? 1 : 2);
  return fits.sort((a, b) => order(a) - order(b) || (pathOf(a) < pathOf(b) ? -1 : 1)).slice(0, 3);
}

/** The variable of the client's workload that holds the address. */
function whereWritten(facts: Facts, address: string) {
  const pod = facts.source.at === 'pod' ? facts.source.pod : undefined;
  for (const [index, c] of (pod?.spec?.containers ?? []).entries()) {
    const at = (c.env ?? []).findIndex((v) => v.value?.includes(address) === true);
    if (at >= 0) return ownerField(pod!, `spec.containers[${index}].env[${at}].value`);
  }
  return undefined;
}

/** Where the client's workload holds the address in its environment. */
function envCures(facts: Facts, address: string, name: string | undefined) {
  const pod = facts.source.at === 'pod' ? facts.source.pod : undefined;
  if (pod === undefined || name === undefined) return [];
  const owner = ownerOf(pod);
  if (owner.prefix === '') return [];
  return (pod.spec?.containers ?? []).flatMap((c) =>
    (c.env ?? []).flatMap((v) =>
      v.value?.includes(address) === true
        ? [
            command(
              `kubectl -n ${owner.namespace} set env ${owner.ref} -c ${c.name} ${v.name}=${v.value.replace(address, name)}`,
            ),
          ]
        : [],
    ),
  );
}

/** A Service without selector: its endpoints were written by hand, and pods do not stay where they are. */
function staleEndpoints(facts: Facts, located: Located): LinkResult | undefined {
  const { service } = located;
  if (service === undefined || located.isAssumed || service.spec?.type === 'ExternalName') return undefined;
  if (Object.keys(service.spec?.selector ?? {}).length > 0) return undefined;
  const backends = backendsOf(facts, service, located.servicePort);
  const stale = backends.filter((b) => b.pod === undefined && b.ip !== undefined && isPodRange(facts, b.ip));
  if (stale.length === 0 || stale.length < backends.length) return undefined;
  const slice = slicesOf(facts, service).find((s) => s.endpoints?.some((e) => e.addresses.includes(stale[0]!.ip!)));
  const mirrored =
    slice?.metadata.labels?.['endpointslice.kubernetes.io/managed-by'] === 'endpointslicemirroring-controller.k8s.io';
  const index = slice?.endpoints?.findIndex((e) => e.addresses.includes(stale[0]!.ip!)) ?? 0;
  const object = mirrored
    ? { apiVersion: 'v1', kind: 'Endpoints', namespace: namespaceOf(service), name: nameOf(service), field: 'subsets' }
    : fieldOf(slice!, 'discovery.k8s.io/v1', 'EndpointSlice', `endpoints[${index}].addresses`);
  return found('address', [
    finding('PodIPStale', {
      object,
      message: `Service ${pathOf(service)} has no selector; its endpoint ${stale[0]!.ip} was written by hand and is no pod's now`,
      evidence: [evidence(`${object.kind} ${namespaceOf(service)}/${object.name}`, stale.map((b) => b.ip).join(', '))],
      cure: [
        ...selectorCure(facts, service, mirrored ? `endpoints ${nameOf(service)}` : `endpointslice ${nameOf(slice!)}`),
        note('with a selector a Service’s endpoints follow its pods'),
      ],
    }),
  ]);
}

/** The labels of the pod that has the Service's port; what was written by hand must go, or it keeps getting its share. */
function selectorCure(facts: Facts, service: NonNullable<Located['service']>, written: string) {
  const [near] = nearestPods(facts, service);
  const labels = stableLabels(near?.metadata.labels ?? {});
  if (Object.keys(labels).length === 0) return [];
  const owner = { namespace: namespaceOf(service), ref: `service/${nameOf(service)}` };
  return [
    command(patchCommand(owner, [{ op: 'add', path: '/spec/selector', value: labels }])),
    command(`kubectl -n ${namespaceOf(service)} delete ${written} --ignore-not-found`),
  ];
}
