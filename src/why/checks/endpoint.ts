// endpoint: does the Service lead to a pod that takes connections, on the port on which it listens, in the rules of the client's node?
import type { Pod } from '#generated/api/core-v1.ts';
import { sourcePod } from '../client-address.ts';
import { type Facts, seen } from '../facts.ts';
import {
  command,
  consequence,
  evidence,
  type Finding,
  finding,
  found,
  type LinkResult,
  note,
  ok,
  unknown,
} from '../finding.ts';
import { isHeadless, type Located, localNode, takers } from '../locate.ts';
import { podFacts } from '../meaning.ts';
import { outcomeOf } from '../outcome.ts';
import {
  containerPorts,
  editDistance,
  isEnded,
  isReady,
  isRunning,
  isTerminating,
  nameOf,
  namespaceOf,
  ownerField,
  ownerOf,
  patchCommand,
  pathOf,
  selectedPods,
  serviceField,
  stableLabels,
  statusOf,
  targetPortIn,
} from '../pods.ts';

export function checkEndpoint(facts: Facts, located: Located): LinkResult | undefined {
  const { service, servicePort } = located;
  if (
    service === undefined ||
    service.spec?.type === 'ExternalName' ||
    located.via === 'pod-ip' ||
    (located.via === 'forward' && located.forward?.target.startsWith('pod') === true) ||
    located.via === 'localhost'
  )
    return undefined;
  if (facts.denied.some((d) => d.kind === 'slices')) return unknown('endpoint', 'EndpointSlices may not be read');
  const selector = service.spec?.selector ?? {};
  const hasSelector = Object.keys(selector).length > 0;
  const ready = located.backends.filter((b) => b.endpoint === 'ready');
  const read = [
    evidence(
      `EndpointSlices of Service ${pathOf(service)}`,
      located.backends
        .map(
          (b) =>
            `${b.pod === undefined ? '' : `${nameOf(b.pod)} `}${b.ip ?? 'no address'}:${b.port ?? '?'} ${b.endpoint}`,
        )
        .join(', ') || 'none',
    ),
  ];
  if (hasSelector && selectedPods(service, facts.objects.pods).length === 0) {
    if (facts.denied.some((d) => d.kind === 'pods'))
      return ready.length > 0
        ? ok('endpoint', `${ready.length} ready`, read)
        : unknown('endpoint', 'no endpoint is ready; pods may not be read');
    if (ready.length > 0) return ok('endpoint', `${ready.length} ready`, read);
    return found('endpoint', [withoutPods(facts, service) ?? selectsNothing(facts, service)]);
  }
  const mismatch = servicePort === undefined || isHeadless(service) ? undefined : targetPort(facts, located);
  if (mismatch?.certainty === 'sure') return found('endpoint', [mismatch]);
  if (ready.length === 0 && takers(located).length === 0) {
    const none = noneReady(facts, located, read);
    return mismatch === undefined ? none : found('endpoint', [...none.findings, mismatch]);
  }
  const more = mismatch === undefined ? [] : [mismatch];
  const other = noLocal(facts, located) ?? notProgrammed(facts, located);
  if (other !== undefined) return found('endpoint', [other, ...more]);
  if (mismatch !== undefined) return found('endpoint', more);
  return ok('endpoint', `${ready.length} of ${located.backends.length} endpoints ready`, read);
}

/** Pods of the namespace that the selector nearly fits, nearest first. */
export function nearestPods(facts: Facts, service: NonNullable<Located['service']>): readonly Pod[] {
  const wanted = Object.entries(service.spec?.selector ?? {});
  // The selector is right, and its pods have not been made: no other pod is meant.
  if (makerOf(facts, service) !== undefined) return [];
  const ports = new Set((service.spec?.ports ?? []).map((p) => p.targetPort ?? p.port));
  const rank = (pod: Pod): number => {
    const labels = pod.metadata.labels ?? {};
    const same = wanted.filter(([k, v]) => labels[k] === v).length;
    const like = wanted.filter(
      ([k, v]) => labels[k] !== undefined && labels[k] !== v && editDistance(labels[k], v) <= 2,
    ).length;
    const value = wanted.filter(([k, v]) => labels[k] !== v && Object.values(labels).includes(v)).length;
    const name = nameOf(pod).startsWith(nameOf(service)) ? 1 : 0;
    const port = containerPorts(pod).some((p) => ports.has(p.port) || (p.name !== undefined && ports.has(p.name)))
      ? 1
      : 0;
    return same * 4 + like * 3 + value * 3 + name * 2 + port * 2;
  };
  return facts.objects.pods
    .filter((p) => namespaceOf(p) === namespaceOf(service) && !isEnded(p) && !isTerminating(p) && rank(p) >= 2)
    .sort((a, b) => rank(b) - rank(a) || (nameOf(a) < nameOf(b) ? -1 : 1));
}

function selectsNothing(facts: Facts, service: NonNullable<Located['service']>): Finding {
  const [near] = nearestPods(facts, service);
  const selector = service.spec?.selector ?? {};
  const owner = { namespace: namespaceOf(service), ref: `service/${nameOf(service)}` };
  const words = (labels: Readonly<Record<string, string>>) =>
    Object.entries(labels)
      .map(([k, v]) => `${k}=${v}`)
      .join(', ');
  const labels = near === undefined ? {} : chosenLabels(near, selector);
  const elsewhere = facts.objects.pods.find(
    (p) =>
      namespaceOf(p) !== namespaceOf(service) &&
      !isEnded(p) &&
      Object.entries(selector).every(([k, v]) => p.metadata.labels?.[k] === v),
  );
  return finding('SelectorMatchesNothing', {
    object: serviceField(service, 'spec.selector'),
    message: `no pod in namespace ${namespaceOf(service)} has the labels ${words(selector)} of Service ${pathOf(service)}${near === undefined ? (elsewhere === undefined ? '' : `; pod ${pathOf(elsewhere)} has them, in another namespace`) : `; nearest is pod ${nameOf(near)} with ${words(stableLabels(near.metadata.labels ?? {}))}`}`,
    evidence: [
      evidence(`Service ${pathOf(service)} spec.selector`, words(selector)),
      ...(near === undefined
        ? []
        : [evidence(`Pod ${pathOf(near)} metadata.labels`, words(near.metadata.labels ?? {}))]),
    ],
    cure:
      near === undefined
        ? [note('start pods with these labels, or set the selector to the labels of the pods that are meant')]
        : [command(patchCommand(owner, [{ op: 'replace', path: '/spec/selector', value: labels }]))],
  });
}

/** Whose pods the Service would select. */
function makerOf(facts: Facts, service: NonNullable<Located['service']>) {
  const selector = Object.entries(service.spec?.selector ?? {});
  if (selector.length === 0) return undefined;
  return facts.objects.workloads.find(
    (w) => w.namespace === namespaceOf(service) && selector.every(([k, v]) => w.labels[k] === v),
  );
}

/** The selector is right: what makes the pods has none. */
function withoutPods(facts: Facts, service: NonNullable<Located['service']>): Finding | undefined {
  const selector = Object.entries(service.spec?.selector ?? {});
  const maker = makerOf(facts, service);
  if (maker === undefined || (maker.replicas > 0 && maker.failure === undefined)) return undefined;
  const { kind, namespace, name, failure } = maker;
  const field = maker.replicas === 0 ? 'spec.replicas' : 'status.conditions';
  const why =
    maker.replicas === 0
      ? 'is scaled to 0 replicas'
      : `cannot make its pods: ${failure ?? 'its controller says nothing'}`;
  return finding('SelectorMatchesNothing', {
    object: { apiVersion: 'apps/v1', kind, namespace, name, field },
    message: `Service ${pathOf(service)} selects the pods of ${kind} ${name}, which ${why}`,
    evidence: [
      evidence(`${kind} ${namespace}/${name} ${field}`, maker.replicas === 0 ? '0' : (failure ?? '')),
      evidence(`Service ${pathOf(service)} spec.selector`, selector.map(([k, v]) => `${k}=${v}`).join(', ')),
    ],
    cure: [
      maker.replicas === 0
        ? command(`kubectl -n ${namespace} scale ${kind.toLowerCase()}/${name} --replicas=1`)
        : note(`make room for it, then: kubectl -n ${namespace} rollout restart ${kind.toLowerCase()}/${name}`),
    ],
  });
}

/** The selector's keys with the pod's values; where a key is not there, the pod's own labels. */
function chosenLabels(pod: Pod, selector: Readonly<Record<string, string>>): Record<string, string> {
  const labels = stableLabels(pod.metadata.labels ?? {});
  const kept = Object.fromEntries(
    Object.keys(selector).flatMap((k) => (labels[k] === undefined ? [] : [[k, labels[k]]])),
  );
  return Object.keys(kept).length === Object.keys(selector).length
    ? kept
    : { ...kept, ...(Object.keys(kept).length > 0 ? {} : labels) };
}

/**
 * The Service's targetPort is one that the pods have not. Sockets say it for sure, and so does a name that no container has; declared
 * ports do when a probe failed. Where some pods have it, only they get connections: then the others matter to nobody.
 */
function targetPort(facts: Facts, located: Located): Finding | undefined {
  const { service, servicePort } = located;
  const outcome = outcomeOf(facts.main);
  if (service === undefined || servicePort === undefined || outcome.connected) return undefined;
  // Of all nodes where a policy Local leaves none: that is another matter.
  const near = takers(located, localNode(facts, located));
  const usable = near.length > 0 ? near : takers(located);
  const pods = (usable.length > 0 ? usable : located.backends).flatMap((b) =>
    b.pod !== undefined && (isRunning(b.pod) || isUnnamed(b.pod, servicePort)) ? [b.pod] : [],
  );
  const wrong = pods.flatMap((pod) => mismatchIn(facts, located, service, servicePort, pod) ?? []);
  const [first] = wrong;
  // Where none gets connections, each pod's own trouble is one.
  if (first === undefined || wrong.length === pods.length || usable.length === 0) return first;
  return outcome.made ? { ...first, certainty: 'likely' } : undefined;
}

type Port = NonNullable<Located['servicePort']>;

const isUnnamed = (pod: Pod, port: Port): boolean =>
  typeof port.targetPort === 'string' && targetPortIn(pod, port) === undefined;

function mismatchIn(
  facts: Facts,
  located: Located,
  service: NonNullable<Located['service']>,
  servicePort: Port,
  pod: Pod,
): Finding | undefined {
  const wanted = servicePort.targetPort ?? servicePort.port;
  const resolved = targetPortIn(pod, servicePort);
  const unnamed = isUnnamed(pod, servicePort);
  const declared = containerPorts(pod).filter((p) => p.protocol === (servicePort.protocol ?? 'TCP'));
  const sockets = podFacts(facts, pod)?.listening.filter((s) => s.protocol === located.transport);
  const open = sockets?.filter((s) => !isLoopback(s.address));
  const candidates =
    open === undefined || open.length === 0
      ? declared
      : [
          ...new Map(
            open.map((s) => [s.port, { port: s.port, name: declared.find((d) => d.port === s.port)?.name }]),
          ).values(),
        ];
  if (!unnamed) {
    // Everything on loopback, or nothing at all, is another cause: the listener's.
    if (sockets !== undefined && (sockets.some((s) => s.port === resolved) || (open ?? []).length === 0))
      return undefined;
    // The container says that it uses the port, and the server uses another: the server, or the declaration, is what differs.
    if (declared.some((p) => p.port === resolved) || candidates.length === 0) return undefined;
  }
  const usual =
    candidates.find((c) => c.port === servicePort.port) ??
    candidates.find((c) => declared.some((d) => d.port === c.port)) ??
    candidates[0];
  const index = service.spec?.ports?.indexOf(servicePort) ?? 0;
  const value = typeof wanted === 'string' && usual?.name !== undefined ? usual.name : usual?.port;
  const there = candidates.map((c) => c.name ?? c.port).join(', ');
  return finding('TargetPortMismatch', {
    object: serviceField(service, `spec.ports[${index}].targetPort`),
    message: unnamed
      ? `Service ${pathOf(service)} sends port ${servicePort.port} to the port named ${wanted}, which no container of pod ${nameOf(pod)} has; ${there === '' ? 'it names none' : `${there} is there`}`
      : `Service ${pathOf(service)} sends port ${servicePort.port} to port ${resolved}, and pod ${nameOf(pod)} ${sockets === undefined ? 'declares' : 'listens on'} ${candidates.map((c) => c.port).join(', ')}`,
    evidence: [
      evidence(`Service ${pathOf(service)} spec.ports[${index}].targetPort`, String(wanted)),
      evidence(
        `Pod ${pathOf(pod)} containerPorts`,
        declared.map((p) => `${p.name ?? ''} ${p.port}`.trim()).join(', ') || 'none',
      ),
      ...(sockets === undefined
        ? []
        : [
            evidence(
              `sockets of pod ${pathOf(pod)}`,
              sockets.map((s) => `${s.address}:${s.port}${s.program === undefined ? '' : ` ${s.program}`}`).join(', '),
            ),
          ]),
    ],
    cure: [
      value === undefined
        ? note(`set targetPort to the number of the port on which the server listens, or name that port ${wanted}`)
        : command(
            patchCommand({ namespace: namespaceOf(service), ref: `service/${nameOf(service)}` }, [
              {
                op: servicePort.targetPort === undefined ? 'add' : 'replace',
                path: `/spec/ports/${index}/targetPort`,
                value,
              },
            ]),
          ),
    ],
    certainty: sockets !== undefined || unnamed ? 'sure' : 'likely',
    port: usual?.port,
  });
}

/** Where the Service will lead once its targetPort is mended: what comes later in the chain must let that through. */
export function mendedPort(facts: Facts, located: Located): number | undefined {
  if (located.service === undefined || isHeadless(located.service)) return undefined;
  const wrong = targetPort(facts, located);
  return wrong?.certainty === 'sure' ? wrong.port : undefined;
}

export const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.');

/** Selected pods, none of them ready: the pod's own trouble is the cause where it has one; else its readiness probe. */
function noneReady(facts: Facts, located: Located, read: LinkResult['evidence']): LinkResult {
  const service = located.service!;
  const pods = located.backends.flatMap((b) => (b.pod === undefined ? [] : [b.pod]));
  const waiting = pods.find(
    (p) => isRunning(p) && !isReady(p) && !isTerminating(p) && failedProbe(p) !== undefined && allUp(p),
  );
  if (pods.length === 0) {
    if (Object.keys(service.spec?.selector ?? {}).length > 0) return consequence('endpoint', 'no endpoint', read);
    const ip = located.backends[0]?.ip;
    return found('endpoint', [
      finding('NoReadyEndpoints', {
        object: serviceField(service, 'spec.selector'),
        message: `Service ${pathOf(service)} has no selector, and ${ip === undefined ? 'nobody wrote endpoints for it' : 'its endpoints are not ready'}`,
        evidence: read,
        cure: noSelectorCure(facts, service),
      }),
    ]);
  }
  if (waiting === undefined || (located.via === 'headless' && isSingle(located))) {
    const settled = pods.every((p) => isReady(p) && !isTerminating(p));
    return consequence(
      'endpoint',
      settled
        ? `the pods of Service ${pathOf(service)} are ready, and its EndpointSlices do not say so yet`
        : `none of the ${pods.length} pods of Service ${pathOf(service)} is ready`,
      read,
    );
  }
  return found('endpoint', [readiness(facts, waiting, service, read)]);
}

const isSingle = (located: Located): boolean =>
  located.meaning !== undefined && 'hostname' in located.meaning && located.meaning.hostname !== undefined;

const allUp = (pod: Pod): boolean => (pod.status?.containerStatuses ?? []).every((s) => s.state?.running !== undefined);

/** The container whose readiness probe holds the pod back. */
function failedProbe(pod: Pod) {
  return pod.spec?.containers.find((c) => c.readinessProbe !== undefined && statusOf(pod, c.name)?.ready === false);
}

function noSelectorCure(facts: Facts, service: NonNullable<Located['service']>) {
  const [near] = nearestPods(facts, service);
  if (near === undefined) return [note('give the Service a selector')];
  return [
    command(
      patchCommand({ namespace: namespaceOf(service), ref: `service/${nameOf(service)}` }, [
        { op: 'add', path: '/spec/selector', value: stableLabels(near.metadata.labels ?? {}) },
      ]),
    ),
  ];
}

export function readiness(
  facts: Facts,
  pod: Pod,
  service: NonNullable<Located['service']> | undefined,
  read: LinkResult['evidence'],
): Finding {
  const container = failedProbe(pod)!;
  const probe = container.readinessProbe!;
  const index = pod.spec!.containers.indexOf(container);
  const field = `spec.containers[${index}].readinessProbe`;
  const said = facts.objects.events
    .filter(
      (e) =>
        e.involvedObject.name === nameOf(pod) &&
        e.involvedObject.namespace === namespaceOf(pod) &&
        e.reason === 'Unhealthy' &&
        e.message?.startsWith('Readiness') === true,
    )
    .map((e) => e.message!)
    .at(-1);
  const what =
    probe.httpGet !== undefined
      ? `GET ${probe.httpGet.path ?? '/'} on port ${probe.httpGet.port}`
      : probe.tcpSocket !== undefined
        ? `TCP port ${probe.tcpSocket.port}`
        : probe.grpc !== undefined
          ? `gRPC on port ${probe.grpc.port}`
          : (probe.exec?.command ?? []).join(' ');
  const owner = ownerOf(pod);
  const cure = probeCure(facts, pod, container, index);
  return finding('NoReadyEndpoints', {
    object: ownerField(pod, field),
    message: `pod ${pathOf(pod)} runs and is not ready${service === undefined ? '' : `, so Service ${pathOf(service)} has no endpoint`}: its readiness probe (${what}) ${said === undefined ? 'fails' : `gets: ${said.replace(/^Readiness probe (failed|errored): /, '')}`}`,
    evidence: [
      evidence(`${owner.kind} ${owner.namespace}/${owner.name} ${owner.prefix}${field}`, what),
      ...(said === undefined ? [] : [evidence(`events of pod ${pathOf(pod)}`, said)]),
      ...read,
    ],
    port: probePort(container),
    cure:
      cure.length > 0
        ? cure
        : [
            note(
              `mend the probe, or what it says about the program: kubectl -n ${owner.namespace} logs ${nameOf(pod)} -c ${container.name}`,
            ),
          ],
  });
}

function probePort(container: {
  readonly readinessProbe?: NonNullable<NonNullable<Pod['spec']>['containers'][number]['readinessProbe']>;
  readonly ports?: readonly { readonly containerPort: number; readonly name?: string }[];
}): number | undefined {
  const port =
    container.readinessProbe?.httpGet?.port ??
    container.readinessProbe?.tcpSocket?.port ??
    container.readinessProbe?.grpc?.port;
  return typeof port === 'string' ? container.ports?.find((p) => p.name === port)?.containerPort : port;
}

/** A probe on a port on which nobody listens, while the server listens on another: that one. */
function probeCure(
  facts: Facts,
  pod: Pod,
  container: {
    readonly name: string;
    readonly readinessProbe?: NonNullable<NonNullable<Pod['spec']>['containers'][number]['readinessProbe']>;
    readonly ports?: readonly { readonly containerPort: number; readonly name?: string }[];
  },
  index: number,
) {
  const probe = container.readinessProbe!;
  const kind =
    probe.httpGet !== undefined
      ? 'httpGet'
      : probe.tcpSocket !== undefined
        ? 'tcpSocket'
        : probe.grpc !== undefined
          ? 'grpc'
          : undefined;
  const owner = ownerOf(pod);
  const base = `/${owner.prefix.replaceAll('.', '/')}spec/containers/${index}/readinessProbe`;
  if (owner.prefix === '') return [];
  if (kind === undefined) return execProbeCure(container, owner, base);
  const port = probe[kind]!.port;
  const number = typeof port === 'number' ? port : container.ports?.find((p) => p.name === port)?.containerPort;
  const listening = podFacts(facts, pod)
    ?.listening.filter((s) => s.protocol === 'tcp' && !isLoopback(s.address))
    .map((s) => s.port);
  const declared = (container.ports ?? []).map((p) => p.containerPort);
  const isThere =
    listening === undefined
      ? declared.length === 0 || declared.includes(number ?? -1)
      : listening.includes(number ?? -1);
  const right =
    (listening ?? declared).find((p) => declared.length === 0 || declared.includes(p)) ?? (listening ?? declared)[0];
  if (!isThere && right !== undefined)
    return [command(patchCommand(owner, [{ op: 'replace', path: `${base}/${kind}/port`, value: right }]))];
  // The server answers on the port and not as the probe wants: that it accepts connections is what a Service needs.
  if (kind === 'httpGet' && number !== undefined)
    return [
      command(
        patchCommand(owner, [
          { op: 'remove', path: `${base}/httpGet` },
          { op: 'add', path: `${base}/tcpSocket`, value: { port: number } },
        ]),
      ),
      note('this asks for an open port only; better is a path that answers 200'),
    ];
  return [];
}

function execProbeCure(
  container: { readonly ports?: readonly { readonly containerPort: number }[] },
  owner: ReturnType<typeof ownerOf>,
  base: string,
) {
  const port = container.ports?.[0]?.containerPort;
  if (port === undefined) return [];
  return [
    command(
      patchCommand(owner, [
        { op: 'remove', path: `${base}/exec` },
        { op: 'add', path: `${base}/tcpSocket`, value: { port } },
      ]),
    ),
    note('this asks for an open port only; better is a command that fits the server'),
  ];
}

/** A Local policy, and no ready endpoint where the packets are. */
function noLocal(facts: Facts, located: Located): Finding | undefined {
  const service = located.service!;
  const node = localNode(facts, located);
  if (node === undefined) return undefined;
  const internal = located.via === 'cluster-ip';
  if (takers(located, node).length > 0) return undefined;
  const ready = takers(located);
  const field = internal ? 'spec.internalTrafficPolicy' : 'spec.externalTrafficPolicy';
  const nodes = [...new Set(ready.map((b) => b.node ?? '?'))];
  const address = facts.objects.nodes
    .find((n) => nameOf(n) === nodes[0])
    ?.status?.addresses?.find((a) => a.type === 'InternalIP')?.address;
  return finding('NoLocalEndpoint', {
    object: serviceField(service, field),
    message: `Service ${pathOf(service)} has ${field.slice(5)}: Local, and no ready endpoint is on ${node}; ${nodes.join(', ')} ${nodes.length === 1 ? 'has' : 'have'} one`,
    evidence: [
      evidence(`Service ${pathOf(service)} ${field}`, 'Local'),
      evidence('nodes of the ready endpoints', nodes.join(', ')),
    ],
    cure: [
      command(
        patchCommand(
          { namespace: namespaceOf(service), ref: `service/${nameOf(service)}` },
          { spec: { [field.slice(5)]: 'Cluster' } },
          'merge',
        ),
      ),
      ...(!internal && address !== undefined ? [note(`or connect to ${nodes[0]}: ${address}:${located.port}`)] : []),
    ],
  });
}

/** The node's kernel does not have what the Service says. */
function notProgrammed(facts: Facts, located: Located): Finding | undefined {
  if (located.via !== 'cluster-ip' || outcomeOf(facts.main).connected || located.servicePort === undefined)
    return undefined;
  const node = sourcePod(facts)?.spec?.nodeName ?? (facts.source.at === 'node' ? facts.source.wanted : undefined);
  const kernel = seen(facts, node)?.services;
  const service = located.service!;
  if (kernel === undefined || node === undefined) return undefined;
  const wanted = new Set([...takers(located), ...takers(located, localNode(facts, located))]);
  const ready = [...wanted].map((b) => `${b.ip}:${b.port}`);
  if (ready.length === 0) return undefined;
  for (const ip of located.addresses) {
    const key = `${ip}:${located.port}/${located.transport}`;
    const has = kernel.find((s) => s.key === key);
    if (
      has !== undefined &&
      ready.some((r) => has.endpoints.includes(r)) &&
      has.endpoints.every((e) => ready.includes(e))
    )
      continue;
    return finding('RulesNotProgrammed', {
      object: { apiVersion: 'v1', kind: 'Node', name: node },
      message: `the kernel of ${node} ${has === undefined ? 'has no rule' : `sends to ${has.endpoints.join(', ') || 'nobody'}`} for ${key} of Service ${pathOf(service)}, whose ready endpoints are ${ready.join(', ')}: its service proxy is down or behind`,
      evidence: [
        evidence(
          `service table of ${node}`,
          `${key}: ${has === undefined ? 'absent' : has.endpoints.join(', ') || 'no endpoint'}`,
        ),
        evidence(`EndpointSlices of Service ${pathOf(service)}`, ready.join(', ')),
      ],
      cure: [
        command(`coracle node exec ${node} -- pkill -KILL -f 'coracle.* agent .*--node ${node}'`),
        note(
          `this ends the agent of ${node}, which the supervisor starts again; its pods go on. Where kube-proxy runs, delete its pod on ${node}`,
        ),
        note(`coracle logs ${node}-agent shows why it stopped`),
      ],
    });
  }
  return undefined;
}
