// name: does the client get the address that is meant?
import type { Facts } from '../facts.ts';
import {
  command,
  consequence,
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
import { sourcePod } from '../client-address.ts';
import type { Located } from '../locate.ts';
import { isAddress, type Meaning, type Near, searchOf, slicesOf } from '../meaning.ts';
import { outcomeOf } from '../outcome.ts';
import { fieldOf, isReady, nameOf, namespaceOf, ownerField, ownerOf, pathOf, podField, serviceField } from '../pods.ts';
import { decide, type Peer, peerOfPod } from '../policy-decision.ts';
import type { Evidence } from '../report.ts';

export function checkName(facts: Facts, located: Located): LinkResult | undefined {
  const { host, meaning } = located;
  if (located.absent !== undefined) return absentObject(facts, located);
  if (isAddress(host) || located.via === 'localhost' || located.via === 'forward' || facts.target.kind === 'pod')
    return undefined;
  if (facts.target.kind !== 'address' && facts.source.at !== 'pod') return undefined;
  const outcome = outcomeOf(facts.main);
  const read = answers(facts);
  if (meaning?.kind === 'hosts') return hostAliases(facts, located);
  if (facts.source.at !== 'pod') {
    if (!outcome.made) return unknown('name', `what ${host} means here was not asked`);
    return outcome.failedAt === 'name'
      ? outsideMissing(facts, located, read)
      : ok('name', `${host} is ${outcome.result!.dns?.addresses.join(', ') ?? host}`, read);
  }
  const dns = checkDNS(facts, located);
  if (dns !== undefined) return found('name', [dns]);
  switch (meaning?.kind) {
    case 'service':
      return outcome.failedAt === 'name'
        ? unanswered(facts, located, read)
        : ok(
            'name',
            `${host} is Service ${pathOf(meaning.service)}${meaning.hostname === undefined ? '' : `, pod ${meaning.hostname}`}: ${meaning.addresses.join(', ')}`,
            read,
          );
    case 'empty':
      return emptyName(facts, located, meaning.service, meaning.hostname, read);
    case 'alias':
      return alias(facts, located, meaning, read);
    case 'missing':
      if (!outcome.made && facts.denied.some((d) => d.kind === 'services'))
        return unknown('name', `Services may not be read, and ${host} was not asked for`);
      return outcome.made && outcome.failedAt !== 'name'
        ? ok('name', `${host} resolves`, read)
        : missing(facts, located, meaning.tried, read);
    case 'address':
      return ok('name', `${host} is ${meaning.addresses.join(', ')}`, read);
    default:
      if (!outcome.made) return unknown('name', `${host} is not a name of the cluster, and was not asked for`);
      return outcome.failedAt === 'name'
        ? outsideMissing(facts, located, read)
        : ok('name', `${host} is ${outcome.result!.dns?.addresses.join(', ') ?? host}`, read);
  }
}

function answers(facts: Facts): readonly Evidence[] {
  const pod = sourcePod(facts);
  const attempts = outcomeOf(facts.main).result?.dns?.attempts ?? [];
  const source = pod === undefined ? 'DNS asked from the source' : `DNS asked from pod ${pathOf(pod)}`;
  return attempts.map((a) =>
    evidence(
      source,
      `${a.question} ${a.type} at ${a.server}: ${a.outcome}${a.answers.length > 0 ? ` ${a.answers.join(', ')}` : ''}`,
    ),
  );
}

function absentObject(facts: Facts, located: Located): LinkResult | undefined {
  const absent = located.absent!;
  if (located.via === 'forward') return undefined;
  const kinds = { Service: 'services', Pod: 'pods', Ingress: 'ingresses' } as const;
  const all = facts.denied.filter((d) => d.kind === kinds[absent.kind as keyof typeof kinds]);
  const denied = all.find((d) => d.permission.endsWith(` ${absent.namespace}`)) ?? all[0];
  if (denied !== undefined)
    return unknown(
      'name',
      `whether there is a ${absent.kind} ${absent.namespace}/${absent.name} may not be read (missing permission: ${denied.permission})`,
    );
  const near = located.near.map((n) => n.name);
  return found('name', [
    finding('NameNotFound', {
      object: absent,
      message: `there is no ${absent.kind} ${absent.namespace}/${absent.name}${near.length === 0 ? '' : `; near are ${near.join(', ')}`}`,
      cure:
        near.length === 0
          ? [note(`kubectl -n ${absent.namespace} get ${absent.kind.toLowerCase()}s shows what there is`)]
          : [note(`use svc/${nameOf(located.near[0]!.service)} in namespace ${namespaceOf(located.near[0]!.service)}`)],
    }),
  ]);
}

/** Is the DNS server there for this client: allowed, and answering? */
function checkDNS(facts: Facts, located: Located): Finding | undefined {
  const pod = sourcePod(facts);
  if (pod === undefined) return undefined;
  const outcome = outcomeOf(facts.main);
  const attempts = outcome.result?.dns?.attempts ?? [];
  const answered = attempts.some((a) => /^(NOERROR|NXDOMAIN|SERVFAIL|REFUSED)$/.test(a.outcome));
  if (answered || (outcome.made && outcome.failedAt !== 'name')) return undefined;
  const service = facts.objects.services.find((s) => pathOf(s) === 'kube-system/kube-dns');
  const servers =
    service === undefined
      ? []
      : facts.objects.pods.filter(
          (p) => namespaceOf(p) === 'kube-system' && p.metadata.labels?.['k8s-app'] === 'kube-dns',
        );
  const address = service?.spec?.clusterIP;
  const own = pod.spec?.dnsPolicy === 'None' ? (pod.spec.dnsConfig?.nameservers ?? []) : [];
  const asksCluster = own.length === 0 || own.includes(address ?? '');
  // Where the agents answer themselves there are no DNS pods: policies that allow their labels mean the address.
  const peers: readonly Peer[] =
    servers.length > 0
      ? servers.map(peerOfPod)
      : [
          {
            ip: address,
            pod: {
              key: 'kube-system/kube-dns',
              namespace: 'kube-system',
              labels: { 'k8s-app': 'kube-dns' },
              ips: address === undefined ? [] : [address],
              namedPorts: [
                { name: 'dns', protocol: 'udp', port: 53 },
                { name: 'dns-tcp', protocol: 'tcp', port: 53 },
              ],
            },
          },
        ];
  if (asksCluster) {
    const decisions = peers.map((p) => decide(facts, 'egress', pod, p, 53, 'udp'));
    const [decision] = decisions;
    if (decision !== undefined && decisions.every((d) => !d.allowed)) {
      const policy = decision.nearest?.policy ?? decision.policies[0]!;
      return finding('DNSDeniedByPolicy', {
        object: fieldOf(policy, 'networking.k8s.io/v1', 'NetworkPolicy', decision.nearest?.field ?? 'spec.egress'),
        message: `NetworkPolicy ${decision.policies.map(pathOf).join(' and ')} isolates pod ${pathOf(pod)} for egress and does not allow UDP 53 to the cluster’s DNS: no name resolves`,
        evidence: [...decision.evidence, ...answers(facts)],
        cure: [manifest(yaml(dnsPolicy(namespaceOf(pod))))],
      });
    }
  }
  if (!outcome.made || outcome.failedAt !== 'name' || attempts.length === 0) return undefined;
  const server = attempts[0]!.server;
  const object =
    own.length > 0
      ? ownerField(pod, 'spec.dnsConfig.nameservers')
      : service === undefined
        ? podField(pod, 'spec.dnsPolicy')
        : serviceField(service);
  const readyServers = servers.filter(isReady);
  const owner = ownerOf(pod);
  return finding('DNSUnreachable', {
    object,
    message: `the DNS server ${server} does not answer pod ${pathOf(pod)} (${attempts[0]!.outcome})${servers.length > 0 ? `; ${readyServers.length} of ${servers.length} DNS pods are ready` : ''}`,
    evidence: answers(facts),
    cure:
      own.length > 0 && owner.prefix !== ''
        ? [
            command(
              `kubectl -n ${owner.namespace} patch ${owner.ref.replace('/', ' ')} --type=merge -p '${JSON.stringify({ spec: { template: { spec: { dnsPolicy: 'ClusterFirst', dnsConfig: null } } } })}'`,
            ),
          ]
        : own.length > 0
          ? [
              note(
                `make the pod again with dnsPolicy: ClusterFirst, or with a nameserver that answers (${address ?? 'the cluster’s'})`,
              ),
            ]
          : [
              command('kubectl -n kube-system rollout restart deployment coredns'),
              note(
                `on Coracle the node’s agent answers: its log is coracle logs ${pod.spec?.nodeName ?? 'NODE'}-agent`,
              ),
            ],
    certainty: located.meaning?.kind === 'outside' ? 'likely' : 'sure',
  });
}

function dnsPolicy(namespace: string) {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'allow-dns', namespace },
    spec: {
      podSelector: {},
      policyTypes: ['Egress'],
      egress: [
        {
          to: [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
              podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
            },
          ],
          ports: [
            { protocol: 'UDP', port: 53 },
            { protocol: 'TCP', port: 53 },
          ],
        },
      ],
    },
  };
}

function hostAliases(facts: Facts, located: Located): LinkResult {
  const meaning = located.meaning as Extract<Located['meaning'], { kind: 'hosts' }>;
  const pod = sourcePod(facts)!;
  const { hidden, address, index } = meaning;
  const isElsewhere =
    (hidden.kind === 'service' && !addressesOf(facts, hidden).includes(address)) || located.via === 'nothing';
  if (!isElsewhere) return ok('name', `${located.host} is ${address} by hostAliases of the pod`);
  const owner = ownerOf(pod);
  const field = `spec.hostAliases[${index}]`;
  return found('name', [
    finding('NamePointsElsewhere', {
      object: ownerField(pod, field),
      message: `${located.host} is ${address} by hostAliases of pod ${pathOf(pod)}${hidden.kind === 'service' ? `, which hides Service ${pathOf(hidden.service)} (${hidden.addresses.join(', ')})` : ', and nobody has that address'}`,
      evidence: [evidence(`Pod ${pathOf(pod)} ${field}`, `${address} ${located.host}`)],
      cure:
        owner.prefix === ''
          ? [note(`make the pod again without this entry of hostAliases`)]
          : [
              command(
                `kubectl -n ${owner.namespace} patch ${owner.ref.replace('/', ' ')} --type=json -p '${JSON.stringify([{ op: 'remove', path: `/${owner.prefix.replaceAll('.', '/')}spec/hostAliases/${index}` }])}'`,
              ),
            ],
    }),
  ]);
}

/** Every address at which the Service, or a pod behind it, is. */
function addressesOf(facts: Facts, hidden: Extract<Meaning, { kind: 'service' }>): readonly string[] {
  const endpoints = slicesOf(facts, hidden.service).flatMap((s) => s.endpoints?.flatMap((e) => e.addresses) ?? []);
  return [...hidden.addresses, ...(hidden.service.spec?.clusterIPs ?? []), ...endpoints];
}

/** The name of a Service that has no address now: headless without ready pods, or a pod's own name. */
function emptyName(
  facts: Facts,
  located: Located,
  service: NonNullable<Located['service']>,
  hostname: string | undefined,
  read: readonly Evidence[],
): LinkResult {
  if (hostname === undefined)
    return consequence(
      'name',
      `${located.host} is headless Service ${pathOf(service)}, which has no ready endpoint: the name has no address`,
      read,
    );
  const pod = facts.objects.pods.find(
    (p) => namespaceOf(p) === namespaceOf(service) && (p.spec?.hostname ?? nameOf(p)) === hostname,
  );
  if (pod === undefined) {
    const siblings = siblingsOf(facts, service);
    return found('name', [
      finding('NameNotFound', {
        object: serviceField(service),
        message: `there is no pod ${hostname} behind Service ${pathOf(service)}${siblings.length === 0 ? '' : `; there are ${siblings.join(', ')}`}`,
        evidence: read,
        cure:
          siblings.length === 0
            ? [note('no pod of this Service has a name of its own')]
            : [note(`use ${siblings[0]}.${nameOf(service)}.${namespaceOf(service)}`)],
      }),
    ]);
  }
  if ((pod.spec?.subdomain ?? '') !== nameOf(service)) {
    return found('name', [
      finding('NameNotFound', {
        object: ownerField(pod, 'spec.subdomain'),
        message: `pod ${pathOf(pod)} has its own name below ${pod.spec?.subdomain === undefined ? 'no Service' : `Service ${pod.spec.subdomain}`}, not below ${nameOf(service)}`,
        evidence: [evidence(`Pod ${pathOf(pod)} spec.subdomain`, pod.spec?.subdomain ?? 'none'), ...read],
        cure: [
          note(
            pod.spec?.subdomain === undefined
              ? `use ${nameOf(service)}.${namespaceOf(service)}`
              : `use ${hostname}.${pod.spec.subdomain}.${namespaceOf(service)}`,
          ),
        ],
      }),
    ]);
  }
  return consequence(
    'name',
    `${located.host} has no address: pod ${pathOf(pod)} is not ready, and Service ${nameOf(service)} does not publish such pods`,
    read,
  );
}

const siblingsOf = (facts: Facts, service: NonNullable<Located['service']>): readonly string[] =>
  facts.objects.pods
    .filter((p) => namespaceOf(p) === namespaceOf(service) && p.spec?.subdomain === nameOf(service))
    .map((p) => p.spec?.hostname ?? nameOf(p))
    .sort();

function alias(
  facts: Facts,
  located: Located,
  meaning: Extract<Located['meaning'], { kind: 'alias' }>,
  read: readonly Evidence[],
): LinkResult {
  const outcome = outcomeOf(facts.main);
  const said = `${located.host} is ExternalName Service ${pathOf(meaning.service)}: ${meaning.target}`;
  const leads = located.via !== 'outside' && located.via !== 'nothing';
  const inCluster = meaning.target.endsWith(`.${facts.domain}`);
  if ((leads && outcome.failedAt !== 'name') || (outcome.made && outcome.failedAt !== 'name'))
    return ok('name', said, read);
  if (!inCluster && !outcome.made) return unknown('name', said);
  const [near] = located.near;
  const target = near === undefined ? undefined : `${near.name}.svc.${facts.domain}`;
  return found('name', [
    finding('NamePointsElsewhere', {
      object: serviceField(meaning.service, 'spec.externalName'),
      message: `${said}, and that name does not exist${near === undefined ? '' : `; near is ${near.name}`}`,
      evidence: [evidence(`Service ${pathOf(meaning.service)} spec.externalName`, meaning.target), ...read],
      cure: [
        target === undefined
          ? note('set spec.externalName to a name that exists')
          : command(
              `kubectl -n ${namespaceOf(meaning.service)} patch service ${nameOf(meaning.service)} --type=merge -p '${JSON.stringify({ spec: { externalName: target } })}'`,
            ),
      ],
    }),
  ]);
}

function missing(facts: Facts, located: Located, tried: readonly string[], read: readonly Evidence[]): LinkResult {
  const pod = sourcePod(facts);
  const own = pod === undefined ? facts.namespace : namespaceOf(pod);
  const [near] = located.near;
  const others = located.near.map((n) => n.name);
  const evidenceOf = [
    evidence('names tried', tried.join(', ')),
    ...(searchOf(facts).search.length > 0 ? [evidence('search domains', searchOf(facts).search.join(' '))] : []),
    ...read,
  ];
  const labels = located.host.split('.');
  const asked = labels[1];
  const isNamespace = asked === undefined || asked === own || facts.objects.namespaces.some((n) => nameOf(n) === asked);
  const elsewhere = near !== undefined && near.sameName && namespaceOf(near.service) !== own && isNamespace;
  if (elsewhere) {
    return found('name', [
      finding('NameInOtherNamespace', {
        object: serviceField(near.service),
        message: `there is no Service ${labels[0]} in namespace ${asked ?? own}; it is in ${namespaceOf(near.service)}: ${near.name}`,
        evidence: evidenceOf,
        cure: nameCures(facts, located, near, asked ?? own),
      }),
    ]);
  }
  return found('name', [
    finding('NameNotFound', {
      ...(near === undefined ? {} : { object: serviceField(near.service) }),
      message: `${located.host} does not exist in the cluster’s DNS${near === undefined ? ', and no Service has a name like it' : `; near ${others.length === 1 ? 'is' : 'are'} ${others.join(', ')}`}`,
      evidence: evidenceOf,
      cure:
        near === undefined
          ? [note('kubectl get services -A shows the names there are: NAME.NAMESPACE')]
          : nameCures(facts, located, near, own),
    }),
  ]);
}

/** The right name; where the client's workload holds the wrong one in its environment, the command that sets it. */
function nameCures(facts: Facts, located: Located, near: Near, namespace: string) {
  const pod = sourcePod(facts);
  const cures = [];
  const owner = pod === undefined ? undefined : ownerOf(pod);
  for (const container of pod?.spec?.containers ?? []) {
    for (const variable of container.env ?? []) {
      if (owner === undefined || variable.value === undefined || owner.prefix === '') continue;
      if (
        variable.value !== located.host &&
        !variable.value.includes(`@${located.host}`) &&
        !variable.value.includes(`//${located.host}`)
      )
        continue;
      cures.push(
        command(
          `kubectl -n ${owner.namespace} set env ${owner.ref} -c ${container.name} ${variable.name}=${variable.value.replace(located.host, near.name)}`,
        ),
      );
    }
  }
  const text = facts.target.kind === 'address' ? facts.target.text.replace(located.host, near.name) : near.name;
  const labels = located.host.split('.');
  const aliasName = labels[0]!;
  const exists = facts.objects.services.some((s) => nameOf(s) === aliasName && namespaceOf(s) === namespace);
  // Where the name cannot be changed, an alias in its place does. Only a short name can be had that way.
  const canAlias =
    !exists &&
    labels.length <= 2 &&
    near.name.split('.').length === 2 &&
    facts.objects.namespaces.some((n) => nameOf(n) === (labels[1] ?? namespace));
  const place = labels[1] ?? namespace;
  const aliasObject = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: aliasName, namespace: place },
    spec: { type: 'ExternalName', externalName: `${near.name}.svc.${facts.domain}` },
  };
  return [...cures, note(`use ${text}`), ...(canAlias ? [manifest(yaml(aliasObject))] : [])];
}

function unanswered(facts: Facts, located: Located, read: readonly Evidence[]): LinkResult {
  const attempts = outcomeOf(facts.main).result?.dns?.attempts ?? [];
  const pod = sourcePod(facts);
  const finding_ = finding('DNSUnreachable', {
    ...(pod === undefined ? {} : { object: podField(pod) }),
    message: `${located.host} exists, and the DNS server ${attempts[0]?.server ?? ''} does not say so (${attempts.map((a) => a.outcome).join(', ')})`,
    evidence: read,
    cure: [
      note(
        'the DNS server is behind the API, or is another one than the cluster’s: look at the nameserver line of /etc/resolv.conf in the pod',
      ),
    ],
    certainty: 'likely',
  });
  return found('name', [finding_]);
}

function outsideMissing(facts: Facts, located: Located, read: readonly Evidence[]): LinkResult {
  const attempts = outcomeOf(facts.main).result?.dns?.attempts ?? [];
  const silent = attempts.length > 0 && attempts.every((a) => a.outcome === 'timeout' || a.outcome === 'refused');
  const code = silent ? 'DNSUnreachable' : 'NameNotFound';
  const near = located.near.map((n) => n.name);
  return found('name', [
    finding(code, {
      message: silent
        ? `the DNS server ${attempts[0]!.server} does not answer`
        : `${located.host} does not exist${near.length === 0 ? '' : `; near are ${near.join(', ')}`}`,
      evidence: read,
      cure: [
        note(
          silent
            ? 'look at the nameserver of this place, and at what is between'
            : 'look at the spelling, and in whose zone the name should be',
        ),
      ],
      certainty: 'likely',
    }),
  ]);
}
