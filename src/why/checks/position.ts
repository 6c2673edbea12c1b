// position: may a client in this place reach such an address at all? The laptop has no pod network, no cluster IPs and no cluster DNS.
import type { Facts } from '../facts.ts';
import {
  command,
  evidence,
  type Finding,
  finding,
  found,
  type LinkResult,
  manifest,
  note,
  ok,
  unknown,
  yaml,
} from '../finding.ts';
import { isPodRange, isServiceRange, type Located } from '../locate.ts';
import { isAddress, meantService } from '../meaning.ts';
import { outcomeOf } from '../outcome.ts';
import { nameOf, namespaceOf, ownerField, ownerOf, patchCommand, pathOf, podField, serviceField } from '../pods.ts';

export function checkPosition(facts: Facts, located: Located): LinkResult {
  if (facts.source.at === 'node') return fromNode(facts, located, facts.source);
  if (facts.source.at === 'pod') return fromPod(facts, located);
  if (located.via === 'forward') return fromForward(facts, located);
  return fromLaptop(facts, located);
}

/** A node reaches cluster IPs and pods, and asks its own resolver, which knows no name of the cluster. */
function fromNode(facts: Facts, located: Located, source: Extract<Facts['source'], { at: 'node' }>): LinkResult {
  if (source.node === undefined) return unknown('position', `there is no node ${source.wanted}`);
  const meant =
    isAddress(located.host) || facts.target.kind !== 'address' || outcomeOf(facts.main).failedAt !== 'name'
      ? undefined
      : meantService(located.host, facts);
  if (meant === undefined) return ok('position', `from node ${source.wanted}`);
  const { service } = meant;
  const [address] = located.addresses;
  return found('position', [
    finding('ClusterDNSNameFromOutside', {
      object: serviceField(service),
      message: `${located.host} is a name of the cluster’s DNS (Service ${pathOf(service)}), which ${source.wanted} does not ask: a node asks its own resolver`,
      evidence: [evidence('domain of the cluster', facts.domain)],
      cure: [
        note(
          address === undefined
            ? 'from a node use the address of a pod behind the Service'
            : `from a node use the address: ${facts.target.text.replace(located.host, address)}`,
        ),
      ],
    }),
  ]);
}

function fromPod(facts: Facts, located: Located): LinkResult {
  const source = facts.source as Extract<Facts['source'], { at: 'pod' }>;
  if (source.pod === undefined)
    return unknown(
      'position',
      `no pod of ${source.wanted} in namespace ${source.namespace} runs: there is nobody to ask from`,
    );
  const { pod } = source;
  const spec = pod.spec!;
  const asksOutside =
    spec.dnsPolicy === 'Default' ||
    (spec.hostNetwork === true && spec.dnsPolicy !== 'ClusterFirstWithHostNet' && spec.dnsPolicy !== 'None');
  const meant = isAddress(located.host) || !asksOutside ? undefined : meantService(located.host, facts);
  const answered = outcomeOf(facts.main).failedAt !== 'name' && outcomeOf(facts.main).made;
  if (meant !== undefined && !answered) {
    const policy = spec.hostNetwork === true ? 'ClusterFirstWithHostNet' : 'ClusterFirst';
    const owner = ownerOf(pod);
    const path = `/${owner.prefix.replaceAll('.', '/')}spec/dnsPolicy`;
    return found('position', [
      finding('ClusterDNSNameFromOutside', {
        object: ownerField(pod, 'spec.dnsPolicy'),
        message: `pod ${pathOf(pod)} has dnsPolicy ${spec.dnsPolicy ?? 'ClusterFirst'}${spec.hostNetwork === true ? ' on the host’s network' : ''}: it asks the node’s resolver, which knows no name of the cluster such as ${located.host}`,
        evidence: [evidence(`Pod ${pathOf(pod)} spec.dnsPolicy`, spec.dnsPolicy ?? 'ClusterFirst')],
        cure:
          owner.prefix === ''
            ? [note(`make the pod again with dnsPolicy: ${policy}`)]
            : [command(patchCommand(owner, [{ op: 'add', path, value: policy }]))],
      }),
    ]);
  }
  return ok(
    'position',
    `from pod ${pathOf(pod)} on ${spec.nodeName ?? 'no node'}${source.wanted.startsWith('pod/') ? '' : `, of ${source.wanted}`}`,
  );
}

function fromLaptop(facts: Facts, located: Located): LinkResult {
  const findings: Finding[] = [];
  const { host, service } = located;
  const backend = located.backends.find((b) => b.pod !== undefined);
  const address = located.addresses[0];
  const pod = backend?.pod;
  const connected = outcomeOf(facts.main).connected;
  if (connected) return ok('position', 'the laptop reaches this address');
  const isName = !isAddress(host);
  const typed = facts.target.kind === 'address';
  const outward =
    located.via === 'cluster-ip' || located.via === 'headless' || located.via === 'pod-ip' || located.via === 'nothing';
  if (typed && isName && outward && (service !== undefined || located.near.length > 0)) {
    findings.push(
      finding('ClusterDNSNameFromOutside', {
        ...(service === undefined ? {} : { object: serviceField(service) }),
        message: `${host} is a name of the cluster’s DNS${service === undefined ? '' : ` (Service ${pathOf(service)})`}, which the laptop does not ask`,
        evidence: [evidence('domain of the cluster', facts.domain)],
        cure: forwardCure(facts, located),
      }),
    );
  } else if (located.via === 'pod-ip' && pod?.spec?.hostNetwork !== true && pod !== undefined) {
    findings.push(
      finding('PodIPFromOutside', {
        object: podField(pod, 'status.podIP'),
        message: `${address ?? 'the address'} is the address of pod ${pathOf(pod)}, which exists on the network between the nodes only: the laptop has no way there`,
        evidence: [evidence(`Pod ${pathOf(pod)} status.podIP`, address ?? 'none yet')],
        cure: forwardCure(facts, located),
      }),
    );
  } else if (located.via === 'nothing' && address !== undefined && isPodRange(facts, address)) {
    findings.push(
      finding('PodIPFromOutside', {
        message: `${address} is in the range of pod addresses, which exist on the network between the nodes only: the laptop has no way there`,
        evidence: [
          evidence('spec.podCIDR of the nodes', facts.objects.nodes.map((n) => n.spec?.podCIDR ?? '').join(', ')),
        ],
        cure: [note('connect through a Service: coracle connect svc/NAME, or kubectl port-forward svc/NAME PORT')],
      }),
    );
  } else if (
    located.via === 'cluster-ip' ||
    located.via === 'headless' ||
    (located.via === 'nothing' && address !== undefined && isServiceRange(facts, address))
  ) {
    findings.push(
      finding('ClusterIPFromOutside', {
        ...(service === undefined ? {} : { object: serviceField(service, 'spec.clusterIP') }),
        message: `${address ?? `Service ${service === undefined ? host : pathOf(service)}`} is ${located.via === 'headless' ? 'a headless Service, whose addresses are its pods’' : 'a cluster IP'}: it exists inside the cluster only, and the laptop is outside`,
        evidence:
          service === undefined
            ? []
            : [evidence(`Service ${pathOf(service)} spec.type`, service.spec?.type ?? 'ClusterIP')],
        cure: forwardCure(facts, located),
      }),
    );
  }
  if (findings.length === 0)
    return ok(
      'position',
      located.via === 'outside' ? 'not an address of the cluster' : 'the laptop has a way to this address',
    );
  if (facts.mayForward === false) findings.push(forwardDenied(facts, located, 'warning'));
  return found('position', findings);
}

function forwardCure(facts: Facts, located: Located) {
  const port = located.port ?? located.servicePort?.port;
  const { service } = located;
  const pod = located.backends.find((b) => b.pod !== undefined)?.pod;
  const where =
    service !== undefined && located.via !== 'pod-ip'
      ? { namespace: namespaceOf(service), ref: `svc/${nameOf(service)}` }
      : pod === undefined
        ? undefined
        : { namespace: namespaceOf(pod), ref: `pod/${nameOf(pod)}` };
  if (where === undefined || port === undefined)
    return [note('forward a port: kubectl -n NAMESPACE port-forward svc/NAME PORT')];
  const url =
    facts.target.kind === 'address' ? facts.target.text.replace(located.host, 'localhost') : `localhost:${port}`;
  const stable =
    service === undefined || located.via !== 'pod-ip'
      ? []
      : [note(`inside the cluster use the name that stays: ${nameOf(service)}.${namespaceOf(service)}`)];
  return [
    command(`kubectl -n ${where.namespace} port-forward ${where.ref} ${port}:${port}`),
    note(`while it runs, connect to ${url}`),
    ...stable,
  ];
}

function fromForward(facts: Facts, located: Located): LinkResult {
  const { forward, absent } = located;
  const outcome = outcomeOf(facts.main);
  const denied = facts.mayForward === false;
  if (forward === undefined) {
    if (outcome.connected) return ok('position', `something on the laptop listens on port ${located.port}`);
    if (denied) return found('position', [forwardDenied(facts, located, 'sure')]);
    const { service } = located;
    const remote = located.servicePort?.port ?? located.port;
    const cure =
      service === undefined
        ? [note(`start one: kubectl -n NAMESPACE port-forward svc/NAME ${located.port}:PORT`)]
        : [command(`kubectl -n ${namespaceOf(service)} port-forward svc/${nameOf(service)} ${located.port}:${remote}`)];
    return found('position', [
      finding('ForwardPodGone', {
        ...(service === undefined ? {} : { object: serviceField(service) }),
        message: `no port-forward of this machine has port ${located.port}: it has ended, or was never started`,
        evidence: [
          evidence('processes of this machine', 'no kubectl port-forward or coracle connect with this local port'),
        ],
        cure,
      }),
    ]);
  }
  const how = `process ${forward.pid}: ${forward.target} ${forward.localPort}:${forward.remotePort}`;
  if (denied && !outcome.connected) return found('position', [forwardDenied(facts, located, 'sure')]);
  const broken =
    outcome.made &&
    outcome.failedAt !== undefined &&
    !(outcome.failedAt === 'handshake' && outcome.result?.handshake?.outcome === 'rejected');
  const pods = located.backends.flatMap((b) => (b.pod === undefined ? [] : [b.pod]));
  const isGone =
    absent?.kind === 'Pod' || (broken && pods.length > 0 && !pods.some((p) => startedBefore(facts, p, forward)));
  if (isGone) {
    const next = absent === undefined ? undefined : successor(facts, absent.namespace ?? '', absent.name);
    const ref = next === undefined ? forward.target : `pod/${next}`;
    const namespace = forward.namespace ?? facts.namespace;
    return found('position', [
      finding('ForwardPodGone', {
        object: absent ?? { apiVersion: 'v1', kind: 'Pod', namespace, name: forward.target.split('/').at(-1)! },
        message: `the port-forward of process ${forward.pid} is bound to a pod that is gone (${forward.target})`,
        evidence: [evidence('processes of this machine', how)],
        cure: [
          command(
            `kill ${forward.pid}; kubectl -n ${namespace} port-forward ${ref} ${forward.localPort}:${forward.remotePort}`,
          ),
          note('coracle connect goes on with the next pod by itself'),
        ],
      }),
    ]);
  }
  return ok('position', `through the port-forward of ${how}`, [evidence('processes of this machine', how)]);
}

/** A forward that began before every pod behind it is bound to one that is gone. Unknown start: no. */
function startedBefore(
  facts: Facts,
  pod: { readonly status?: { readonly startTime?: string } },
  forward: { readonly startedMs?: number },
): boolean {
  const start = pod.status?.startTime === undefined ? undefined : Date.parse(pod.status.startTime);
  return start === undefined || forward.startedMs === undefined || start <= forward.startedMs || facts.nowMs < start;
}

/** A pod that replaces the one of this name: of the same Deployment. */
function successor(facts: Facts, namespace: string, gone: string): string | undefined {
  const family = gone.replace(/-[a-z0-9]+-[a-z0-9]{5}$|-[a-z0-9]{5}$/, '');
  return facts.objects.pods
    .map((p) => p)
    .find((p) => namespaceOf(p) === namespace && nameOf(p) !== gone && ownerOf(p).name === family)?.metadata.name;
}

function forwardDenied(facts: Facts, located: Located, certainty: 'sure' | 'warning'): Finding {
  const namespace =
    located.service !== undefined
      ? namespaceOf(located.service)
      : (located.backends[0]?.pod?.metadata.namespace ?? facts.namespace);
  const role = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'port-forward', namespace },
    rules: [
      { apiGroups: [''], resources: ['pods', 'services'], verbs: ['get', 'list'] },
      { apiGroups: [''], resources: ['pods/portforward'], verbs: ['get', 'create'] },
    ],
  };
  const subject = facts.user;
  const kind = subject?.startsWith('system:serviceaccount:') === true ? undefined : 'User';
  const [, , ns, account] = subject?.split(':') ?? [];
  const subjects =
    subject === undefined
      ? []
      : kind === undefined
        ? [{ kind: 'ServiceAccount', namespace: ns, name: account }]
        : [{ apiGroup: 'rbac.authorization.k8s.io', kind, name: subject }];
  const binding = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'port-forward', namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'port-forward' },
    subjects,
  };
  return finding('ForwardDenied', {
    object: {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      namespace,
      name: 'port-forward',
      field: 'rules',
    },
    message: `${subject ?? 'this user'} may not create pods/portforward in namespace ${namespace}: a port-forward ends before it begins`,
    evidence: [evidence('SelfSubjectAccessReview', `create pods/portforward in namespace ${namespace}: no`)],
    cure:
      subject === undefined
        ? [manifest(yaml(role)), note('and a RoleBinding to it for this user')]
        : [manifest(`${yaml(role)}---\n${yaml(binding)}`)],
    certainty,
  });
}
