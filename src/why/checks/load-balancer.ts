// load-balancer: the two ways in from outside that stand before the Service, LoadBalancer addresses and Ingress.
import type { Ingress, IngressBackend } from '#generated/api/networking-v1.ts';
import { isOurs } from '#netmodel/ingress.ts';
import { DEFAULT_CERTIFICATE_NAME } from '#netmodel/ingress-certificates.ts';
import { ownAddress } from '../client-address.ts';
import type { Facts } from '../facts.ts';
import { command, evidence, type Finding, finding, found, type LinkResult, note, ok } from '../finding.ts';
import { inRanges, type Located } from '../locate.ts';
import { serviceOf } from '../meaning.ts';
import { outcomeOf } from '../outcome.ts';
import { allBackends, hostMatches, pathAsked, ownProblems, routeOf } from './ingress-route.ts';
import { editDistance, fieldOf, nameOf, namespaceOf, patchCommand, pathOf, serviceField } from '../pods.ts';

export function checkLoadBalancer(facts: Facts, located: Located): LinkResult | undefined {
  if (located.via === 'ingress' && located.ingress !== undefined) return ingress(facts, located, located.ingress);
  const { service } = located;
  if (service?.spec?.type !== 'LoadBalancer' || (located.via !== 'load-balancer' && facts.source.at !== 'laptop'))
    return undefined;
  // A node's address is no address of the load balancer: neither its source ranges nor its health checks count there.
  if (located.via === 'node-port') return undefined;
  const owner = { namespace: namespaceOf(service), ref: `service/${nameOf(service)}` };
  const addresses = (service.status?.loadBalancer?.ingress ?? []).map((i) => i.ip ?? i.hostname ?? '');
  if (addresses.length === 0) {
    const said = facts.objects.events
      .filter(
        (e) =>
          e.involvedObject.kind === 'Service' &&
          e.involvedObject.name === nameOf(service) &&
          e.involvedObject.namespace === namespaceOf(service),
      )
      .map((e) => `${e.reason}: ${e.message}`)
      .at(-1);
    const className = service.spec.loadBalancerClass;
    const wantedIP = service.spec.loadBalancerIP;
    const port = service.spec.ports?.[0]?.nodePort;
    return found('load-balancer', [
      finding('LoadBalancerPending', {
        object: serviceField(
          service,
          className !== undefined
            ? 'spec.loadBalancerClass'
            : wantedIP !== undefined
              ? 'spec.loadBalancerIP'
              : 'status.loadBalancer',
        ),
        message: `Service ${pathOf(service)} has no address from outside yet${className === undefined ? '' : `: nobody serves loadBalancerClass ${className}`}${said === undefined ? '' : ` (${said})`}`,
        evidence: [
          evidence(`Service ${pathOf(service)} status.loadBalancer`, 'empty'),
          ...(said === undefined ? [] : [evidence(`events of Service ${pathOf(service)}`, said)]),
        ],
        cure:
          className !== undefined
            ? [
                command(recreate(service)),
                note('the class of a Service cannot be changed: it is made anew, without one'),
              ]
            : wantedIP !== undefined
              ? [command(patchCommand(owner, [{ op: 'remove', path: '/spec/loadBalancerIP' }]))]
              : [
                  note(
                    port === undefined
                      ? 'is there a load balancer in this cluster?'
                      : `without a load balancer, a node’s address and port ${port} do the same`,
                  ),
                ],
      }),
    ]);
  }
  const ranges = service.spec.loadBalancerSourceRanges ?? [];
  const own = ownAddress(facts);
  if (ranges.length > 0 && own !== undefined && !inRanges(own, ranges) && !outcomeOf(facts.main).connected) {
    return found('load-balancer', [
      finding('SourceRangeDenied', {
        object: serviceField(service, 'spec.loadBalancerSourceRanges'),
        message: `Service ${pathOf(service)} takes clients from ${ranges.join(', ')} only, and this client is ${own}`,
        evidence: [
          evidence(`Service ${pathOf(service)} spec.loadBalancerSourceRanges`, ranges.join(', ')),
          evidence('local address of the probe', own),
        ],
        cure: [
          command(
            patchCommand(owner, [
              { op: 'add', path: '/spec/loadBalancerSourceRanges/-', value: `${own}/${own.includes(':') ? 128 : 32}` },
            ]),
          ),
        ],
      }),
    ]);
  }
  const health = service.spec.healthCheckNodePort;
  const ready = located.backends.filter((b) => b.endpoint === 'ready');
  if (
    service.spec.externalTrafficPolicy === 'Local' &&
    ready.length > 0 &&
    health !== undefined &&
    outcomeOf(facts.main).connect === 'timeout'
  ) {
    return found('load-balancer', [
      finding('HealthCheckBlocked', {
        object: serviceField(service, 'spec.healthCheckNodePort'),
        message: `Service ${pathOf(service)} has ready pods and its address does not answer: with externalTrafficPolicy Local the load balancer needs an answer on port ${health} of ${[...new Set(ready.map((b) => b.node))].join(', ')}`,
        evidence: [evidence(`Service ${pathOf(service)} spec.healthCheckNodePort`, String(health))],
        cure: [
          note(`let the load balancer reach port ${health} of the nodes`),
          command(patchCommand(owner, { spec: { externalTrafficPolicy: 'Cluster' } }, 'merge')),
        ],
        certainty: 'likely',
      }),
    ]);
  }
  return ok('load-balancer', `Service ${pathOf(service)} has ${addresses.join(', ')}`);
}

function recreate(service: NonNullable<Located['service']>): string {
  const again = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: nameOf(service),
      namespace: namespaceOf(service),
      ...(service.metadata.labels === undefined ? {} : { labels: service.metadata.labels }),
    },
    spec: {
      type: 'LoadBalancer',
      selector: service.spec?.selector,
      ports: service.spec?.ports?.map(({ name, port, targetPort, protocol }) => ({ name, port, targetPort, protocol })),
    },
  };
  return `kubectl -n ${namespaceOf(service)} replace --force -f - <<'END'\n${JSON.stringify(again)}\nEND`;
}

const HTTP: ReadonlySet<string> = new Set(['http', 'grpc', 'tcp', 'tls']);

function ingress(facts: Facts, located: Located, object: Ingress): LinkResult {
  const at = (field: string) => fieldOf(object, 'networking.k8s.io/v1', 'Ingress', field);
  const owner = { namespace: namespaceOf(object), ref: `ingress/${nameOf(object)}` };
  const findings: Finding[] = [];
  if (!HTTP.has(located.protocol))
    return found('load-balancer', [
      finding('IngressNotHTTP', {
        object: at('spec.rules'),
        message: `${located.host} is host of Ingress ${pathOf(object)}, which routes HTTP only: it will not route ${located.protocol}`,
        evidence: [
          evidence(
            `Ingress ${pathOf(object)} spec.rules`,
            (object.spec?.rules ?? []).map((r) => r.host ?? '*').join(', '),
          ),
        ],
        cure: notHttpCure(facts, located, object),
      }),
    ]);
  const className = object.spec?.ingressClassName ?? object.metadata.annotations?.['kubernetes.io/ingress.class'];
  const byDefault = facts.objects.ingressClasses.find(
    (c) => c.metadata.annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true',
  );
  const known = className === undefined ? byDefault : facts.objects.ingressClasses.find((c) => nameOf(c) === className);
  if (known === undefined && !facts.denied.some((d) => d.kind === 'ingressClasses')) {
    const right = byDefault ?? facts.objects.ingressClasses[0];
    findings.push(
      finding('IngressNoRoute', {
        object: at('spec.ingressClassName'),
        message:
          className === undefined
            ? `Ingress ${pathOf(object)} names no class, and none is the default: no controller takes it`
            : `Ingress ${pathOf(object)} is of class ${className}, which does not exist: no controller takes it`,
        evidence: [evidence('IngressClasses', facts.objects.ingressClasses.map(nameOf).join(', ') || 'none')],
        cure:
          right === undefined
            ? [note('install an Ingress controller')]
            : [command(patchCommand(owner, { spec: { ingressClassName: nameOf(right) } }, 'merge'))],
      }),
    );
    return found('load-balancer', findings);
  }
  const path = pathAsked(facts);
  const route = routeOf(facts, located.host, path, object);
  if (route === undefined && facts.target.kind === 'address') {
    const rules = object.spec?.rules ?? [];
    const index = rules.findIndex((r) => hostMatches(r.host, located.host));
    const backend = rules[Math.max(0, index)]?.http?.paths[0]?.backend;
    findings.push(
      finding('IngressNoRoute', {
        object: at(index < 0 ? 'spec.rules' : `spec.rules[${index}].http.paths`),
        message: `Ingress ${pathOf(object)} has no rule for ${located.host}${path}; it has ${rules.flatMap((r) => (r.http?.paths ?? []).map((p) => `${r.host ?? '*'}${p.path ?? '/'} (${p.pathType})`)).join(', ') || 'none'}`,
        evidence: [evidence(`Ingress ${pathOf(object)} spec.rules`, JSON.stringify(rules))],
        cure:
          backend === undefined
            ? [note('add the host and path')]
            : [
                command(
                  patchCommand(owner, [
                    index < 0
                      ? {
                          op: 'add',
                          path: '/spec/rules/-',
                          value: { host: located.host, http: { paths: [{ path, pathType: 'Prefix', backend }] } },
                        }
                      : {
                          op: 'add',
                          path: `/spec/rules/${index}/http/paths/-`,
                          value: { path, pathType: 'Prefix', backend },
                        },
                  ]),
                ),
              ],
      }),
    );
    return found('load-balancer', findings);
  }
  const backends = route !== undefined ? [route] : allBackends(object);
  for (const { ingress: owning, field, backend } of backends) {
    const missing = backendMissing(facts, owning, field, backend);
    if (missing !== undefined) return found('load-balancer', [missing]);
  }
  const unusable = route === undefined ? undefined : ownProblems(facts, located.host, path, route.ingress);
  const alias = unusable?.find((p) => p.code === 'ExternalNameService');
  if (alias !== undefined)
    return found('load-balancer', [
      finding('IngressBackendMissing', {
        object: fieldOf(route!.ingress, 'networking.k8s.io/v1', 'Ingress', alias.field),
        message: alias.message,
        evidence: [
          evidence(`Ingress ${pathOf(route!.ingress)} ${alias.field}`, JSON.stringify(route!.backend.service)),
        ],
        cure: [note('lead to a Service that has pods: a Service of type ExternalName is only a name')],
      }),
    ]);
  const tls = tlsSecret(facts, located, object);
  if (tls !== undefined) return found('load-balancer', [tls]);
  return ok(
    'load-balancer',
    `Ingress ${pathOf(object)} routes ${located.host}${path} to ${backends.map((b) => `${b.backend.service?.name}:${b.backend.service?.port?.number ?? b.backend.service?.port?.name}`).join(', ')}`,
  );
}

function notHttpCure(facts: Facts, located: Located, object: Ingress) {
  const inner = allBackends(object)
    .map(({ backend }) => ({ backend, service: serviceOf(facts, namespaceOf(object), backend.service?.name ?? '') }))
    .find((x) => x.service !== undefined);
  const service = inner?.service;
  const wanted = inner?.backend.service?.port;
  const port = service?.spec?.ports?.find((p) => p.port === wanted?.number || p.name === wanted?.name)?.port;
  if (service === undefined || port === undefined)
    return [note('give the server a LoadBalancer Service, or use kubectl port-forward')];
  const instead = (host: string) =>
    facts.target.text.replace(new RegExp(`${located.host.replaceAll('.', '\\.')}(:\\d+)?`), `${host}:${port}`);
  const lasting = `kubectl -n ${namespaceOf(service)} patch service ${nameOf(service)} -p '{"spec":{"type":"LoadBalancer"}}'`;
  if (facts.source.at === 'pod')
    return [note(`inside the cluster use ${instead(`${nameOf(service)}.${namespaceOf(service)}`)}`)];
  return [
    command(`kubectl -n ${namespaceOf(service)} port-forward svc/${nameOf(service)} ${port}:${port}`),
    note(`and connect to ${instead('localhost')}; for clients that stay, a Service of type LoadBalancer: ${lasting}`),
  ];
}

function backendMissing(facts: Facts, object: Ingress, field: string, backend: IngressBackend): Finding | undefined {
  const wanted = backend.service;
  if (wanted === undefined) return undefined;
  const namespace = namespaceOf(object);
  const service = serviceOf(facts, namespace, wanted.name);
  const owner = { namespace, ref: `ingress/${nameOf(object)}` };
  const pointer = (rest: string) => `/${field.replaceAll(/\[(\d+)\]/g, '/$1').replaceAll('.', '/')}/service/${rest}`;
  const at = (rest: string) => fieldOf(object, 'networking.k8s.io/v1', 'Ingress', `${field}.service.${rest}`);
  if (service === undefined) {
    const [near] = facts.objects.services
      .filter((s) => namespaceOf(s) === namespace)
      .sort((a, b) => editDistance(nameOf(a), wanted.name) - editDistance(nameOf(b), wanted.name));
    return finding('IngressBackendMissing', {
      object: at('name'),
      message: `Ingress ${pathOf(object)} leads to Service ${wanted.name}, which does not exist in namespace ${namespace}${near === undefined ? '' : `; near is ${nameOf(near)}`}`,
      evidence: [evidence(`Ingress ${pathOf(object)} ${field}`, JSON.stringify(wanted))],
      cure:
        near === undefined
          ? [note('create the Service')]
          : [command(patchCommand(owner, [{ op: 'replace', path: pointer('name'), value: nameOf(near) }]))],
    });
  }
  const ports = service.spec?.ports ?? [];
  const has = ports.some(
    (p) => p.port === wanted.port?.number || (wanted.port?.name !== undefined && p.name === wanted.port.name),
  );
  if (has) return undefined;
  return finding('IngressBackendMissing', {
    object: at('port'),
    message: `Ingress ${pathOf(object)} leads to port ${wanted.port?.number ?? wanted.port?.name} of Service ${wanted.name}, which has ${ports.map((p) => `${p.name ?? ''} ${p.port}`.trim()).join(', ')}`,
    evidence: [evidence(`Service ${pathOf(service)} spec.ports`, ports.map((p) => p.port).join(', '))],
    cure:
      ports[0] === undefined
        ? [note('add the port to the Service')]
        : [command(patchCommand(owner, [{ op: 'replace', path: pointer('port'), value: { number: ports[0].port } }]))],
  });
}

function tlsSecret(facts: Facts, located: Located, object: Ingress): Finding | undefined {
  if (facts.denied.some((d) => d.kind === 'secrets')) return undefined;
  const entries = object.spec?.tls ?? [];
  const index = entries.findIndex(
    (t) =>
      t.secretName !== undefined &&
      (t.hosts === undefined || t.hosts.length === 0 || t.hosts.some((h) => hostMatches(h, located.host))),
  );
  const wanted = entries[index]?.secretName;
  if (wanted === undefined) return undefined;
  const namespace = namespaceOf(object);
  const secret = facts.objects.secrets.find((s) => s.name === wanted && s.namespace === namespace);
  const said = secretEvent(facts, object, wanted);
  // What is in a Secret is not read: that it cannot serve, its controller said, or the handshake showed.
  const shown = outcomeOf(facts.main).result?.tls;
  const isDefault = shown?.certificate?.subject === DEFAULT_CERTIFICATE_NAME;
  if (secret !== undefined && shown?.outcome === 'ok') return undefined;
  if (secret?.type === 'kubernetes.io/tls' && said === undefined && !isDefault) return undefined;
  const isOwn = isOurs(object, facts.objects.ingressClasses);
  if (secret !== undefined && said === undefined && isOwn && !isDefault) return undefined;
  const make = `openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=${located.host} -addext subjectAltName=DNS:${located.host} -keyout tls.key -out tls.crt && kubectl -n ${namespace} ${secret === undefined ? '' : `delete secret ${wanted} && kubectl -n ${namespace} `}create secret tls ${wanted} --cert=tls.crt --key=tls.key`;
  return finding('IngressTLSSecretMissing', {
    object: fieldOf(object, 'networking.k8s.io/v1', 'Ingress', `spec.tls[${index}].secretName`),
    message:
      secret === undefined
        ? `Ingress ${pathOf(object)} takes its certificate from Secret ${wanted}, which does not exist in namespace ${namespace}`
        : (said ??
          (isOwn
            ? `Secret ${namespace}/${wanted} of Ingress ${nameOf(object)} cannot serve: the proxy shows its own default certificate instead`
            : `Secret ${namespace}/${wanted} of Ingress ${nameOf(object)} is of type ${secret.type}, not kubernetes.io/tls`)),
    evidence: [
      evidence(`Ingress ${pathOf(object)} spec.tls[${index}].secretName`, wanted),
      ...(said === undefined ? [] : [evidence(`events of Ingress ${pathOf(object)}`, said)]),
      ...(isDefault ? [evidence('certificate in the handshake', DEFAULT_CERTIFICATE_NAME)] : []),
    ],
    cure: [command(make), note('clients must trust it: take a certificate of your own authority where there is one')],
    certainty: located.port === 443 ? 'sure' : 'warning',
  });
}

/** What the controller said about this Secret: it has no certificate that could be served. */
function secretEvent(facts: Facts, object: Ingress, secret: string): string | undefined {
  return facts.objects.events.findLast(
    (e) =>
      e.involvedObject.kind === 'Ingress' &&
      e.involvedObject.name === nameOf(object) &&
      e.involvedObject.namespace === namespaceOf(object) &&
      e.reason === 'SecretInvalid' &&
      e.message?.includes(`${namespaceOf(object)}/${secret}`) === true,
  )?.message;
}
