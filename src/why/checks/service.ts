// service: does the Service forward this port?
import type { Pod } from '#generated/api/core-v1.ts';
import type { Facts } from '../facts.ts';
import { command, evidence, finding, found, type LinkResult, note, ok } from '../finding.ts';
import { isHeadless, type Located, USUAL_PORTS } from '../locate.ts';
import { podFacts } from '../meaning.ts';
import { outcomeOf } from '../outcome.ts';
import {
  containerPorts,
  nameOf,
  namespaceOf,
  patchCommand,
  pathOf,
  selectedPods,
  serviceField,
  targetPortIn,
} from '../pods.ts';

export function checkService(facts: Facts, located: Located): LinkResult | undefined {
  if (located.via === 'node') return nodePort(facts, located);
  const { service, port } = located;
  if (
    service === undefined ||
    located.via === 'pod-ip' ||
    (located.via === 'forward' && located.forward?.target.startsWith('pod') === true) ||
    located.via === 'localhost' ||
    service.spec?.type === 'ExternalName'
  )
    return undefined;
  if (facts.denied.some((d) => d.kind === 'services'))
    return { link: 'service', state: 'unknown', detail: 'Services may not be read', evidence: [], findings: [] };
  const ports = service.spec?.ports ?? [];
  const words = ports.map(
    (p) =>
      `${p.name === undefined ? '' : `${p.name} `}${p.protocol ?? 'TCP'} ${p.port}${p.nodePort === undefined || p.nodePort === 0 ? '' : `:${p.nodePort}`} → ${p.targetPort ?? p.port}`,
  );
  const read = [evidence(`Service ${pathOf(service)} spec.ports`, words.join(', ') || 'none')];
  if (isHeadless(service)) return headless(facts, located, read);
  if (located.servicePort !== undefined)
    return ok(
      'service',
      `Service ${pathOf(service)} ${service.spec?.type ?? 'ClusterIP'} ${service.spec?.clusterIP ?? ''} forwards port ${located.servicePort.port}`,
      read,
    );
  if (port === undefined && ports.length > 0) return ok('service', `Service ${pathOf(service)}`, read);
  const other = ports.find((p) => p.port === port);
  const [best] = nearestPort(located);
  const wanted = best ?? ports[0];
  const text = facts.target.text.replace(`:${port}`, `:${wanted?.port ?? '?'}`);
  const added = {
    ...(ports.length === 0 ? {} : { name: `port-${port}` }),
    port,
    protocol: located.transport.toUpperCase(),
    targetPort: wanted?.targetPort ?? wanted?.port ?? port,
  };
  return found('service', [
    finding('ServicePortMissing', {
      object: serviceField(service, 'spec.ports'),
      message:
        other === undefined
          ? `Service ${pathOf(service)} has no port ${port}; it has ${words.join(', ') || 'none'}`
          : `Service ${pathOf(service)} has port ${port} for ${other.protocol ?? 'TCP'}, not for ${located.transport.toUpperCase()}`,
      evidence: read,
      cure: [
        ...(wanted === undefined || wanted.port === port
          ? []
          : [note(`use ${text.includes(`:${wanted.port}`) ? text : `port ${wanted.port}`}`)]),
        command(addPort(service, ports, added)),
      ],
    }),
  ]);
}

type Service = NonNullable<Located['service']>;
type Ports = NonNullable<NonNullable<Service['spec']>['ports']>;

/** A Service of one port may leave its name out; one of several must not. */
function addPort(service: Service, ports: Ports, added: object): string {
  const owner = { namespace: namespaceOf(service), ref: `service/${nameOf(service)}` };
  const unnamed =
    ports.length === 1 && ports[0]!.name === undefined
      ? [{ op: 'add', path: '/spec/ports/0/name', value: 'main' }]
      : [];
  return patchCommand(owner, [...unnamed, { op: 'add', path: '/spec/ports/-', value: added }]);
}

/** The Service's port whose pods' port is the one dialled, or the usual one of the protocol. */
function nearestPort(located: Located): Ports {
  const ports = located.service?.spec?.ports ?? [];
  const rank = (p: Ports[number]) =>
    (p.targetPort === located.port ? 4 : 0) +
    (p.port === USUAL_PORTS[located.protocol] ? 2 : 0) +
    (p.name === located.protocol ? 1 : 0);
  return [...ports].sort((a, b) => rank(b) - rank(a));
}

/** Headless: the port dialled is the pods' own; the Service translates nothing. */
function headless(facts: Facts, located: Located, read: LinkResult['evidence']): LinkResult {
  const { service, port } = located;
  const ports = service!.spec?.ports ?? [];
  const pods = selectedPods(service!, facts.objects.pods);
  const translated = ports.find(
    (p) => p.port === port && pods.length > 0 && pods.every((pod) => targetPortIn(pod, p) !== port),
  );
  const target =
    translated === undefined
      ? undefined
      : pods.map((pod) => targetPortIn(pod, translated)).find((found) => found !== undefined);
  if (
    translated !== undefined &&
    target !== undefined &&
    !outcomeOf(facts.main).connected &&
    !pods.some((p) => containerPorts(p).some((c) => c.port === port) || listensOn(facts, p, port))
  ) {
    const at = ports.indexOf(translated);
    return found('service', [
      finding('HeadlessHasNoPort', {
        object: serviceField(service!, `spec.ports[${at}].targetPort`),
        message: `Service ${pathOf(service!)} is headless: its name gives the pods’ own addresses, where the server has port ${target}; port ${port} of the Service leads nowhere`,
        evidence: [evidence(`Service ${pathOf(service!)} spec.clusterIP`, 'None'), ...read],
        cure: [
          note(`use ${facts.target.text.replace(`:${port}`, `:${target}`)}`),
          ...viaClusterIP(service!, port!, target, located),
        ],
        // A container need not declare its ports: without a probe and without sockets the server may well be there.
        certainty: outcomeOf(facts.main).made || pods.some((p) => podFacts(facts, p) !== undefined) ? 'sure' : 'likely',
      }),
    ]);
  }
  return ok(
    'service',
    `Service ${pathOf(service!)} is headless: connections go to the pods’ own addresses, port ${port ?? '?'}`,
    read,
  );
}

const listensOn = (facts: Facts, pod: Pod, port: number | undefined): boolean =>
  podFacts(facts, pod)?.listening.some((s) => s.port === port) === true;

/** A second Service with an address of its own cannot have the first one's name; the port of a client can be kept that way. */
function viaClusterIP(service: Service, port: number, target: number, located: Located) {
  const selector = service.spec?.selector;
  if (selector === undefined) return [];
  const name = `${nameOf(service)}-${port}`;
  const spec = { selector, ports: [{ port, targetPort: target, protocol: located.transport.toUpperCase() }] };
  return [
    note(
      `or a Service with an address of its own, which does translate: kubectl -n ${namespaceOf(service)} create -f - of ${JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec })}`,
    ),
  ];
}

const NODE_PORTS = { from: 30_000, to: 32_767 };

/** A node's address on a port that no Service has. */
function nodePort(facts: Facts, located: Located): LinkResult | undefined {
  if (located.backends.length > 0 || outcomeOf(facts.main).connected) return undefined;
  const { port } = located;
  const exposed = facts.objects.services.filter((s) => s.spec?.type === 'NodePort' || s.spec?.type === 'LoadBalancer');
  const meant =
    exposed.find((s) => s.spec?.ports?.some((p) => p.port === port || p.targetPort === port) === true) ??
    exposed.find((s) => namespaceOf(s) === facts.namespace) ??
    facts.objects.services.find(
      (s) => s.spec?.ports?.some((p) => p.port === port) === true && pathOf(s) !== 'default/kubernetes',
    );
  const inRange = port! >= NODE_PORTS.from && port! <= NODE_PORTS.to;
  const of = meant?.spec?.ports?.find((p) => p.port === port || p.targetPort === port) ?? meant?.spec?.ports?.[0];
  const has = of?.nodePort;
  const index = Math.max(0, meant?.spec?.ports?.indexOf(of!) ?? 0);
  const cure =
    meant === undefined
      ? [note('expose the pods: kubectl expose --type=NodePort')]
      : has !== undefined && has !== 0
        ? [
            note(`use port ${has}: ${facts.target.text.replace(`:${port}`, `:${has}`)}`),
            ...(inRange
              ? [
                  command(
                    patchCommand({ namespace: namespaceOf(meant), ref: `service/${nameOf(meant)}` }, [
                      { op: 'replace', path: `/spec/ports/${index}/nodePort`, value: port },
                    ]),
                  ),
                ]
              : []),
          ]
        : [
            command(
              patchCommand(
                { namespace: namespaceOf(meant), ref: `service/${nameOf(meant)}` },
                { spec: { type: 'NodePort' } },
                'merge',
              ),
            ),
            note(`then read its node port: kubectl -n ${namespaceOf(meant)} get service ${nameOf(meant)}`),
          ];
  return found('service', [
    finding('NodePortOutOfRange', {
      ...(meant === undefined ? {} : { object: serviceField(meant, `spec.ports[${index}].nodePort`) }),
      message: `no Service has node port ${port}${inRange ? '' : `, and it is outside ${NODE_PORTS.from}-${NODE_PORTS.to}, the range of node ports`}${meant === undefined ? '' : `; Service ${pathOf(meant)} has ${has === undefined || has === 0 ? 'none' : has}`}`,
      evidence: [
        evidence(
          'spec.ports[].nodePort of all Services',
          exposed
            .flatMap((s) => (s.spec?.ports ?? []).map((p) => `${pathOf(s)} ${p.port}:${p.nodePort ?? 'none'}`))
            .join(', ') || 'none',
        ),
      ],
      cure,
    }),
  ]);
}
