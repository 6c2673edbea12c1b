// load-balancer: the two ways in from outside that stand before the Service, LoadBalancer addresses and Ingress.
import type { Ingress, IngressBackend } from '#generated/api/networking-v1.ts';
import { ownAddress } from '../client-address.ts';
import type { Facts } from '../facts.ts';
import { command, evidence, type Finding, finding, found, type LinkResult, note, ok } from '../finding.ts';
import { inRanges, type Located } from '../locate.ts';
import { serviceOf } from '../meaning.ts';
import { outcomeOf } from '../outcome.ts';
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
        cure: notHttpCure(facts, located),
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
  const path = (facts.target.kind === 'address' ? (facts.target.path ?? '/') : '/').replace(/\?.*$/, '');
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
  const tls = tlsSecret(facts, located, object);
  if (tls !== undefined) return found('load-balancer', [tls]);
  return ok(
    'load-balancer',
    `Ingress ${pathOf(object)} routes ${located.host}${path} to ${backends.map((b) => `${b.backend.service?.name}:${b.backend.service?.port?.number ?? b.backend.service?.port?.name}`).join(', ')}`,
  );
}

function notHttpCure(facts: Facts, located: Located) {
  const port = located.port;
  const fits = facts.objects.services.filter(
    (s) => s.spec?.ports?.some((p) => p.port === port) === true && pathOf(s) !== 'default/kubernetes',
  );
  const home = located.ingress === undefined ? facts.namespace : namespaceOf(located.ingress);
  const service =
    fits.find((s) => namespaceOf(s) === home) ?? fits.find((s) => namespaceOf(s) === facts.namespace) ?? fits[0];
  if (service === undefined) return [note('give the server a LoadBalancer Service, or use kubectl port-forward')];
  return [
    command(`kubectl -n ${namespaceOf(service)} port-forward svc/${nameOf(service)} ${port}:${port}`),
    note(
      `and connect to ${facts.target.text.replace(located.host, 'localhost')}; for clients that stay, a Service of type LoadBalancer: kubectl -n ${namespaceOf(service)} patch service ${nameOf(service)} -p '{"spec":{"type":"LoadBalancer"}}'`,
    ),
  ];
}

interface Route {
  readonly ingress: Ingress;
  readonly field: string;
  readonly backend: IngressBackend;
}

const hostMatches = (rule: string | undefined, host: string): boolean =>
  rule === undefined ||
  rule === '' ||
  rule === host ||
  (rule.startsWith('*.') && host.endsWith(rule.slice(1)) && !host.slice(0, -rule.length + 1).includes('.'));

function allBackends(object: Ingress): readonly Route[] {
  const rules = (object.spec?.rules ?? []).flatMap((r, i) =>
    (r.http?.paths ?? []).map((p, j) => ({
      ingress: object,
      field: `spec.rules[${i}].http.paths[${j}].backend`,
      backend: p.backend,
    })),
  );
  const fallback = object.spec?.defaultBackend;
  return fallback === undefined
    ? rules
    : [...rules, { ingress: object, field: 'spec.defaultBackend', backend: fallback }];
}

/** The longest path among all Ingresses that have the host. */
function routeOf(facts: Facts, host: string, path: string, first: Ingress): Route | undefined {
  let best: (Route & { rank: number }) | undefined;
  const all = [
    first,
    ...facts.objects.ingresses.filter((i) => i !== first && i.spec?.rules?.some((r) => r.host === host)),
  ];
  for (const object of all)
    for (const [i, rule] of (object.spec?.rules ?? []).entries()) {
      if (!hostMatches(rule.host, host)) continue;
      for (const [j, p] of (rule.http?.paths ?? []).entries()) {
        const prefix = (p.path ?? '/').replace(/\/$/, '');
        const fits =
          p.pathType === 'Exact' ? path === p.path : path === prefix || path.startsWith(`${prefix}/`) || prefix === '';
        const rank = prefix.length * 2 + (p.pathType === 'Exact' ? 1 : 0) + (rule.host === host ? 1000 : 0);
        if (fits && (best === undefined || rank > best.rank))
          best = { ingress: object, field: `spec.rules[${i}].http.paths[${j}].backend`, backend: p.backend, rank };
      }
    }
  if (best !== undefined) return best;
  return first.spec?.defaultBackend === undefined
    ? undefined
    : { ingress: first, field: 'spec.defaultBackend', backend: first.spec.defaultBackend };
}

/** The Service that an Ingress leads to, for the links that follow. */
export function ingressService(
  facts: Facts,
  located: Located,
): { service: NonNullable<Located['service']>; port: number } | undefined {
  if (located.via !== 'ingress' || located.ingress === undefined) return undefined;
  const path = (facts.target.kind === 'address' ? (facts.target.path ?? '/') : '/').replace(/\?.*$/, '');
  const route = routeOf(facts, located.host, path, located.ingress) ?? allBackends(located.ingress)[0];
  const wanted = route?.backend.service;
  const service =
    route === undefined || wanted === undefined ? undefined : serviceOf(facts, namespaceOf(route.ingress), wanted.name);
  const port = service?.spec?.ports?.find(
    (p) => p.port === wanted?.port?.number || (wanted?.port?.name !== undefined && p.name === wanted.port.name),
  );
  return service === undefined || port === undefined ? undefined : { service, port: port.port };
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
  if (secret?.type === 'kubernetes.io/tls') return undefined;
  const make = `openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=${located.host} -addext subjectAltName=DNS:${located.host} -keyout tls.key -out tls.crt && kubectl -n ${namespace} ${secret === undefined ? '' : `delete secret ${wanted} && kubectl -n ${namespace} `}create secret tls ${wanted} --cert=tls.crt --key=tls.key`;
  return finding('IngressTLSSecretMissing', {
    object: fieldOf(object, 'networking.k8s.io/v1', 'Ingress', `spec.tls[${index}].secretName`),
    message:
      secret === undefined
        ? `Ingress ${pathOf(object)} takes its certificate from Secret ${wanted}, which does not exist in namespace ${namespace}`
        : `Secret ${namespace}/${wanted} of Ingress ${nameOf(object)} is of type ${secret.type}, not kubernetes.io/tls`,
    evidence: [evidence(`Ingress ${pathOf(object)} spec.tls[${index}].secretName`, wanted)],
    cure: [command(make), note('clients must trust it: take a certificate of your own authority where there is one')],
    certainty: located.port === 443 ? 'sure' : 'warning',
  });
}
