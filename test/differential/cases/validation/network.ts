// Services and what carries traffic to them, ingresses, policies, address ranges.
import { type Change, type Subject, type Update, gone } from './subject.ts';

const spec = (change: Change): Change => ({ spec: change });
const update = (to: Change, from: Change = {}): Update => ({ from, to });
const status = (to: Change, from: Change = {}): Update => ({ from, to: { status: to }, subresource: 'status' });
const ports = (...list: readonly Change[]): Change => spec({ ports: list });
const HTTP: Change = { port: 80 };

const services: Subject = {
  apiVersion: 'v1',
  kind: 'Service',
  minimal: { spec: { clusterIP: 'None', selector: { app: 'x' }, ports: [HTTP] } },
  shapes: {
    port: ports({ name: 'http', protocol: 'TCP', appProtocol: 'example.com/http', port: 80, targetPort: 8080 }),
    'port-named-target': ports({ port: 80, targetPort: 'http' }),
    affinity: spec({
      clusterIP: gone,
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
    }),
    families: spec({ clusterIP: gone, ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' }),
    'node-port': spec({ clusterIP: gone, type: 'NodePort', externalTrafficPolicy: 'Local', ports: [{ port: 80 }] }),
    'load-balancer': spec({
      clusterIP: gone,
      type: 'LoadBalancer',
      allocateLoadBalancerNodePorts: false,
      loadBalancerIP: '192.0.2.9',
      loadBalancerSourceRanges: ['192.0.2.0/24'],
      loadBalancerClass: 'example.com/lb',
      externalTrafficPolicy: 'Local',
    }),
    'external-ips': spec({ externalIPs: ['192.0.2.7'] }),
    'external-name': {
      spec: { type: 'ExternalName', externalName: 'db.example', clusterIP: gone, ports: gone, selector: gone },
    },
    publishing: spec({
      publishNotReadyAddresses: true,
      internalTrafficPolicy: 'Local',
      trafficDistribution: 'PreferClose',
    }),
    cluster: { spec: { clusterIP: gone, selector: gone } },
  },
  changing: ['affinity', 'node-port', 'load-balancer', 'publishing'],
  crossed: {
    'spec-gone': { spec: gone },
    'ports-none': { spec: { clusterIP: '10.96.77.9', ports: gone } },
    'ports-none-headless': { spec: { ports: gone } },
    'headless-without-selector-or-ports': { spec: { ports: gone, selector: gone } },
    'ports-two-nameless': ports({ port: 80 }, { port: 81 }),
    'ports-two-of-one-name': ports({ name: 'a', port: 80 }, { name: 'a', port: 81 }),
    'ports-two-of-one-number': ports({ name: 'a', port: 80 }, { name: 'b', port: 80 }),
    'ports-one-number-two-protocols': ports({ name: 'a', port: 80 }, { name: 'b', port: 80, protocol: 'UDP' }),
    'port-name-uppercase': ports({ name: 'Http', port: 80 }),
    'port-name-dotted': ports({ name: 'a.b', port: 80 }),
    'port-65536': ports({ port: 65536 }),
    'target-port-65536': ports({ port: 80, targetPort: 65536 }),
    'target-port-name-long': ports({ port: 80, targetPort: 'a-name-of-sixteen' }),
    'headless-target-differs': ports({ port: 80, targetPort: 81 }),
    'protocol-icmp': ports({ port: 80, protocol: 'ICMP' }),
    'protocol-sctp': ports({ port: 80, protocol: 'SCTP' }),
    'app-protocols': ports(
      { name: 'a', port: 80, appProtocol: 'http' },
      { name: 'b', port: 81, appProtocol: 'kubernetes.io/h2c' },
      { name: 'c', port: 82, appProtocol: 'a/b/c' },
    ),
    'node-port-on-cluster-ip': spec({ clusterIP: '10.96.77.9', ports: [{ port: 80, nodePort: 30900 }] }),
    'node-port-out-of-range': spec({ clusterIP: '10.96.77.9', type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] }),
    'node-port-negative': spec({ clusterIP: '10.96.77.9', type: 'NodePort', ports: [{ port: 80, nodePort: -1 }] }),
    'node-port-twice': spec({
      clusterIP: '10.96.77.9',
      type: 'NodePort',
      ports: [
        { name: 'a', port: 80, nodePort: 30901 },
        { name: 'b', port: 81, nodePort: 30901 },
      ],
    }),
    'node-port-headless': spec({ type: 'NodePort' }),
    'load-balancer-headless': spec({ type: 'LoadBalancer' }),
    'type-unknown': spec({ type: 'Magic' }),
    'cluster-ip-out-of-range': spec({ clusterIP: '192.0.2.1' }),
    'cluster-ip-malformed': spec({ clusterIP: '10.96.0.300' }),
    'cluster-ip-taken': spec({ clusterIP: '10.96.0.1' }),
    'cluster-ip-network': spec({ clusterIP: '10.96.0.0' }),
    'cluster-ip-v6': spec({ clusterIP: 'fd00::1' }),
    'cluster-ips-without-cluster-ip': { spec: { clusterIP: gone, clusterIPs: ['10.96.77.9'] } },
    'cluster-ips-differ': spec({ clusterIP: '10.96.77.9', clusterIPs: ['10.96.77.8'] }),
    'cluster-ips-three': spec({ clusterIP: '10.96.77.9', clusterIPs: ['10.96.77.9', 'fd00::1', '10.96.77.10'] }),
    'cluster-ips-same-family': spec({ clusterIP: '10.96.77.9', clusterIPs: ['10.96.77.9', '10.96.77.10'] }),
    'dual-stack-required': spec({ clusterIP: gone, ipFamilyPolicy: 'RequireDualStack' }),
    'dual-stack-preferred-headless': spec({ ipFamilyPolicy: 'PreferDualStack' }),
    'dual-stack-headless-without-selector': spec({ selector: gone, ipFamilyPolicy: 'RequireDualStack' }),
    'headless-without-selector': spec({ selector: gone }),
    'families-v6': spec({ clusterIP: gone, ipFamilies: ['IPv6'] }),
    'families-twice': spec({ ipFamilies: ['IPv4', 'IPv4'] }),
    'families-three': spec({ ipFamilies: ['IPv4', 'IPv6', 'IPv4'] }),
    'family-unknown': spec({ ipFamilies: ['IPv5'] }),
    'family-policy-unknown': spec({ ipFamilyPolicy: 'TripleStack' }),
    'external-name-missing': { spec: { type: 'ExternalName', clusterIP: gone } },
    'external-name-with-ip': spec({ type: 'ExternalName', externalName: 'db.example', clusterIP: '10.96.77.9' }),
    'external-name-headless': spec({ type: 'ExternalName', externalName: 'db.example' }),
    'external-name-dotted': { spec: { type: 'ExternalName', clusterIP: gone, externalName: 'db.example.' } },
    'external-name-address': { spec: { type: 'ExternalName', clusterIP: gone, externalName: '192.0.2.1' } },
    'external-name-families': {
      spec: {
        type: 'ExternalName',
        clusterIP: gone,
        externalName: 'a.b',
        ipFamilyPolicy: 'SingleStack',
        ipFamilies: ['IPv4'],
      },
    },
    'external-name-on-cluster-ip': spec({ externalName: 'db.example' }),
    'affinity-without-config': spec({ sessionAffinity: 'ClientIP' }),
    'affinity-none-with-config': spec({
      sessionAffinity: 'None',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } },
    }),
    'affinity-over-a-day': spec({
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 86401 } },
    }),
    'affinity-config-empty': spec({ sessionAffinity: 'ClientIP', sessionAffinityConfig: {} }),
    'external-policy-on-cluster-ip': spec({ externalTrafficPolicy: 'Local' }),
    'external-policy-unknown': spec({ clusterIP: '10.96.77.9', type: 'NodePort', externalTrafficPolicy: 'Near' }),
    'internal-policy-unknown': spec({ internalTrafficPolicy: 'Near' }),
    'health-port-on-cluster-ip': spec({ healthCheckNodePort: 30902 }),
    'health-port-policy-cluster': spec({ clusterIP: '10.96.77.9', type: 'LoadBalancer', healthCheckNodePort: 30902 }),
    'source-ranges-on-cluster-ip': spec({ loadBalancerSourceRanges: ['192.0.2.0/24'] }),
    'source-range-malformed': spec({
      clusterIP: '10.96.77.9',
      type: 'LoadBalancer',
      loadBalancerSourceRanges: ['192.0.2.0'],
    }),
    'source-range-host-bits': spec({
      clusterIP: '10.96.77.9',
      type: 'LoadBalancer',
      allocateLoadBalancerNodePorts: false,
      loadBalancerSourceRanges: ['192.0.2.1/24'],
    }),
    'source-range-annotation-bad': {
      metadata: { annotations: { 'service.beta.kubernetes.io/load-balancer-source-ranges': 'nope' } },
      spec: { clusterIP: '10.96.77.9', type: 'LoadBalancer' },
    },
    'class-on-cluster-ip': spec({ loadBalancerClass: 'example.com/lb' }),
    'class-malformed': spec({ clusterIP: '10.96.77.9', type: 'LoadBalancer', loadBalancerClass: 'Bad Class!' }),
    'allocate-on-cluster-ip': spec({ allocateLoadBalancerNodePorts: true }),
    'load-balancer-ip-on-cluster-ip': spec({ loadBalancerIP: '192.0.2.1' }),
    'external-ip-loopback': spec({ externalIPs: ['127.0.0.1'] }),
    'external-ip-unspecified': spec({ externalIPs: ['0.0.0.0'] }),
    'external-ip-link-local': spec({ externalIPs: ['169.254.1.1'] }),
    'external-ip-multicast': spec({ externalIPs: ['224.0.0.1'] }),
    'external-ip-leading-zeros': spec({ externalIPs: ['010.1.1.1'] }),
    ...Object.fromEntries(
      ['PreferSameZone', 'PreferSameNode', 'Nearest'].map((v) => [
        `distribution-${v}`,
        spec({ trafficDistribution: v }),
      ]),
    ),
    'selector-key-bad': spec({ selector: { 'Bad Key!': 'x' } }),
    'name-digit-first': { metadata: { name: '1abc' } },
    'topology-annotation': { metadata: { annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } } },
    'topology-annotation-and-distribution': {
      metadata: { annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } },
      spec: { trafficDistribution: 'PreferClose' },
    },
  },
  updates: {
    'cluster-ip-changed': update(spec({ clusterIP: '10.96.77.21' }), spec({ clusterIP: '10.96.77.20' })),
    'cluster-ip-cleared': update(spec({ clusterIP: '' }), spec({ clusterIP: '10.96.77.22' })),
    'headless-to-address': update(spec({ clusterIP: '10.96.77.23' })),
    'address-to-headless': update(spec({ clusterIP: 'None' }), spec({ clusterIP: '10.96.77.24' })),
    'to-node-port': update(
      spec({ type: 'NodePort', ports: [{ port: 80, nodePort: 30925 }] }),
      spec({ clusterIP: '10.96.77.25' }),
    ),
    'to-external-name': update(
      spec({ type: 'ExternalName', externalName: 'a.b', clusterIP: gone }),
      spec({ clusterIP: '10.96.77.26' }),
    ),
    'family-changed': update(spec({ ipFamilies: ['IPv6'] }), spec({ clusterIP: '10.96.77.27' })),
    'family-policy-to-dual': update(spec({ ipFamilyPolicy: 'RequireDualStack' }), spec({ clusterIP: '10.96.77.28' })),
    selector: update(spec({ selector: { app: 'y' } })),
    port: update(spec({ ports: [{ port: 81 }] })),
    'class-changed': update(
      spec({ loadBalancerClass: 'example.com/b' }),
      spec({
        clusterIP: '10.96.77.29',
        type: 'LoadBalancer',
        allocateLoadBalancerNodePorts: false,
        loadBalancerClass: 'example.com/a',
      }),
    ),
    'class-set-later': update(
      spec({ loadBalancerClass: 'example.com/b' }),
      spec({ clusterIP: '10.96.77.30', type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }),
    ),
    'health-port-changed': update(
      spec({ healthCheckNodePort: 30932 }),
      spec({
        clusterIP: '10.96.77.31',
        type: 'LoadBalancer',
        allocateLoadBalancerNodePorts: false,
        externalTrafficPolicy: 'Local',
        healthCheckNodePort: 30931,
      }),
    ),
    'status-load-balancer': status(
      { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
      spec({ clusterIP: '10.96.77.32', type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }),
    ),
    'status-load-balancer-bad-ip': status(
      { loadBalancer: { ingress: [{ ip: '192.0.2.300' }] } },
      spec({ clusterIP: '10.96.77.33', type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }),
    ),
    'status-load-balancer-on-cluster-ip': status({ loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } }),
    'status-ip-mode': status(
      { loadBalancer: { ingress: [{ ip: '192.0.2.1', ipMode: 'Magic' }] } },
      spec({ clusterIP: '10.96.77.34', type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }),
    ),
    'status-ip-mode-without-ip': status(
      { loadBalancer: { ingress: [{ hostname: 'a.b', ipMode: 'VIP' }] } },
      spec({ clusterIP: '10.96.77.35', type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }),
    ),
    'status-hostname-is-ip': status(
      { loadBalancer: { ingress: [{ hostname: '192.0.2.1' }] } },
      spec({ clusterIP: '10.96.77.36', type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }),
    ),
    'status-ports': status(
      { loadBalancer: { ingress: [{ ip: '192.0.2.1', ports: [{ port: 0, protocol: 'X', error: 'bad error!' }] }] } },
      spec({ clusterIP: '10.96.77.37', type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }),
    ),
    'status-conditions': status({
      conditions: [{ type: 'A', status: 'Maybe', reason: '', message: '', lastTransitionTime: '2030-01-01T00:00:00Z' }],
    }),
  },
};

const endpoints: Subject = {
  apiVersion: 'v1',
  kind: 'Endpoints',
  minimal: { subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 80 }] }] },
  shapes: {
    address: {
      subsets: [
        { addresses: [{ hostname: 'h', nodeName: 'n', targetRef: { kind: 'Pod', name: 'p', namespace: '{ns}' } }] },
      ],
    },
    'not-ready': { subsets: [{ notReadyAddresses: [{ ip: '192.0.2.2' }] }] },
    port: { subsets: [{ ports: [{ name: 'http', port: 80, protocol: 'TCP', appProtocol: 'http' }] }] },
  },
  changing: [''],
  crossed: {
    'subsets-gone': { subsets: gone },
    'addresses-gone': { subsets: [{ addresses: gone }] },
    'ports-gone': { subsets: [{ ports: gone }] },
    'ports-two-nameless': { subsets: [{ ports: [{ port: 80 }, { port: 81 }] }] },
    ...Object.fromEntries(
      ['127.0.0.1', '169.254.1.1', '224.0.0.1', '0.0.0.0', 'fe80::1', '::', '010.0.0.1', 'nope'].map((ip) => [
        `ip-${ip}`,
        { subsets: [{ addresses: [{ ip }] }] },
      ]),
    ),
    'port-protocol': { subsets: [{ ports: [{ port: 80, protocol: 'ICMP' }] }] },
    'last-change-annotation': {
      metadata: { annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': 'soon' } },
    },
    'over-capacity-annotation': { metadata: { annotations: { 'endpoints.kubernetes.io/over-capacity': 'x' } } },
  },
  updates: {
    'node-name-changed': update(
      { subsets: [{ addresses: [{ nodeName: 'b' }] }] },
      { subsets: [{ addresses: [{ nodeName: 'a' }] }] },
    ),
  },
};

const endpointSlices: Subject = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  minimal: { addressType: 'IPv4', endpoints: [{ addresses: ['192.0.2.1'] }] },
  shapes: {
    endpoint: {
      endpoints: [
        {
          conditions: { ready: true, serving: true, terminating: false },
          hostname: 'h',
          nodeName: 'n',
          zone: 'z',
          hints: { forZones: [{ name: 'z' }], forNodes: [{ name: 'n' }] },
          targetRef: { kind: 'Pod', name: 'p', namespace: '{ns}' },
          deprecatedTopology: { a: 'b' },
        },
      ],
    },
    port: { ports: [{ name: 'http', port: 80, protocol: 'TCP', appProtocol: 'http' }] },
  },
  changing: ['endpoint', 'port'],
  crossed: {
    'endpoints-gone': { endpoints: gone },
    'type-v6': { addressType: 'IPv6', endpoints: [{ addresses: ['fd00::1'] }] },
    'type-v6-address-v4': { addressType: 'IPv6' },
    'type-fqdn': { addressType: 'FQDN', endpoints: [{ addresses: ['a.example'] }] },
    'type-fqdn-bad': { addressType: 'FQDN', endpoints: [{ addresses: ['Bad_!'] }] },
    'type-unknown': { addressType: 'IPX' },
    'address-v6': { endpoints: [{ addresses: ['fd00::1'] }] },
    'address-loopback': { endpoints: [{ addresses: ['127.0.0.1'] }] },
    'addresses-none': { endpoints: [{ addresses: [] }] },
    'addresses-101': { endpoints: [{ addresses: Array.from({ length: 101 }, (_, i) => `192.0.2.${i + 1}`) }] },
    'ports-of-one-name': {
      ports: [
        { name: 'a', port: 1 },
        { name: 'a', port: 2 },
      ],
    },
    'ports-nameless-two': { ports: [{ port: 1 }, { port: 2 }] },
    'port-name-of-64': { ports: [{ name: 'a'.repeat(64), port: 1 }] },
    'port-65536': { ports: [{ port: 65536 }] },
    'topology-reserved': { endpoints: [{ deprecatedTopology: { 'kubernetes.io/hostname': 'n' } }] },
    'topology-zone': { endpoints: [{ deprecatedTopology: { 'topology.kubernetes.io/zone': 'z' } }] },
    'hints-nine-zones': {
      endpoints: [{ hints: { forZones: Array.from({ length: 9 }, (_, i) => ({ name: `z${i}` })) } }],
    },
    'hints-zone-twice': { endpoints: [{ hints: { forZones: [{ name: 'z' }, { name: 'z' }] } }] },
    'hints-zone-nameless': { endpoints: [{ hints: { forZones: [{ name: '' }] } }] },
  },
  updates: { 'type-changed': update({ addressType: 'IPv6', endpoints: [{ addresses: ['fd00::1'] }] }) },
};

const BACKEND: Change = { service: { name: 's', port: { number: 80 } } };
const rule = (path: Change): Change =>
  spec({
    rules: [{ host: 'a.example', http: { paths: [{ path: '/', pathType: 'Prefix', backend: BACKEND, ...path }] } }],
  });
const ingresses: Subject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  minimal: { spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } } },
  shapes: {
    class: spec({ ingressClassName: 'haproxy' }),
    rule: rule({}),
    tls: spec({ tls: [{ hosts: ['a.example'], secretName: 's' }] }),
    'port-named': { spec: { defaultBackend: { service: { name: 's', port: { name: 'http', number: gone } } } } },
    'resource-backend': {
      spec: { defaultBackend: { service: gone, resource: { apiGroup: 'example.com', kind: 'K', name: 'n' } } },
    },
  },
  changing: ['rule', 'class'],
  crossed: {
    'spec-empty': { spec: { defaultBackend: gone } },
    'spec-gone': { spec: gone },
    'backend-both': spec({ defaultBackend: { resource: { kind: 'K', name: 'n' } } }),
    'backend-neither': { spec: { defaultBackend: { service: gone } } },
    'backend-port-both': spec({ defaultBackend: { service: { name: 's', port: { number: 80, name: 'http' } } } }),
    'backend-port-neither': { spec: { defaultBackend: { service: { name: 's', port: { number: gone } } } } },
    'backend-port-65536': spec({ defaultBackend: { service: { name: 's', port: { number: 65536 } } } }),
    'host-wildcard': spec({ rules: [{ host: '*.example' }] }),
    'host-wildcard-inside': spec({ rules: [{ host: 'a.*.example' }] }),
    'host-address': spec({ rules: [{ host: '192.0.2.1' }] }),
    'host-with-port': spec({ rules: [{ host: 'a.example:80' }] }),
    'host-uppercase': spec({ rules: [{ host: 'A.example' }] }),
    'path-relative': rule({ path: 'x' }),
    'path-missing-prefix': rule({ path: gone }),
    'path-implementation-specific': rule({ path: gone, pathType: 'ImplementationSpecific' }),
    'path-implementation-specific-relative': rule({ path: 'x', pathType: 'ImplementationSpecific' }),
    'path-type-missing': rule({ pathType: gone }),
    'path-type-unknown': rule({ pathType: 'Regex' }),
    ...Object.fromEntries(
      ['/a//b', '/a/./b', '/a/../b', '/a%2fb', '/a%2Fb', '/a/..', '/a/.', '/a b', '/é'].map((path) => [
        `path-${path}`,
        rule({ path, pathType: 'Exact' }),
      ]),
    ),
    'paths-none': spec({ rules: [{ http: { paths: [] } }] }),
    'tls-wildcard': spec({ tls: [{ hosts: ['*.example'] }] }),
    'tls-host-bad': spec({ tls: [{ hosts: ['Bad_'] }] }),
    'tls-secret-bad': spec({ tls: [{ secretName: 'Bad_' }] }),
    'class-annotation': { metadata: { annotations: { 'kubernetes.io/ingress.class': 'x' } } },
    'class-annotation-and-field': {
      metadata: { annotations: { 'kubernetes.io/ingress.class': 'x' } },
      spec: { ingressClassName: 'y' },
    },
    'resource-kind-missing': { spec: { defaultBackend: { service: gone, resource: { name: 'n' } } } },
  },
  updates: {
    'class-annotation-later': update(
      { metadata: { annotations: { 'kubernetes.io/ingress.class': 'x' } } },
      spec({ ingressClassName: 'y' }),
    ),
    'status-ip': status({ loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } }),
    'status-ip-bad': status({ loadBalancer: { ingress: [{ ip: 'nope' }] } }),
    'status-hostname-bad': status({ loadBalancer: { ingress: [{ hostname: 'Bad_' }] } }),
    'status-hostname-ip': status({ loadBalancer: { ingress: [{ hostname: '192.0.2.1' }] } }),
  },
};

const ingressClasses: Subject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  minimal: { spec: { controller: 'example.com/c' } },
  shapes: {
    parameters: spec({
      parameters: { apiGroup: 'example.com', kind: 'K', name: 'n', scope: 'Namespace', namespace: 'ns' },
    }),
    'parameters-cluster': spec({ parameters: { kind: 'K', name: 'n' } }),
  },
  changing: ['parameters'],
  crossed: {
    'controller-without-slash': spec({ controller: 'c' }),
    'controller-long': spec({ controller: `example.com/${'a'.repeat(250)}` }),
    'parameters-cluster-with-namespace': spec({
      parameters: { kind: 'K', name: 'n', scope: 'Cluster', namespace: 'x' },
    }),
    'parameters-namespace-without': spec({ parameters: { kind: 'K', name: 'n', scope: 'Namespace' } }),
    'default-annotation': { metadata: { annotations: { 'ingressclass.kubernetes.io/is-default-class': 'maybe' } } },
  },
};

const peer = (...from: readonly Change[]): Change => spec({ ingress: [{ from }] });
const networkPolicies: Subject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  minimal: { spec: { podSelector: {} } },
  shapes: {
    selector: spec({
      podSelector: { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'k', operator: 'In', values: ['v'] }] },
      policyTypes: ['Ingress'],
    }),
    ingress: spec({
      ingress: [
        {
          ports: [{ protocol: 'TCP', port: 80, endPort: 90 }],
          from: [{ podSelector: { matchLabels: { a: 'b' } }, namespaceSelector: { matchLabels: { c: 'd' } } }],
        },
      ],
    }),
    egress: spec({
      egress: [{ ports: [{ port: 'http' }], to: [{ ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.0/28'] } }] }],
    }),
  },
  changing: ['selector', 'ingress'],
  crossed: {
    'spec-gone': { spec: gone },
    'selector-gone': { spec: { podSelector: gone } },
    'type-unknown': spec({ policyTypes: ['Sideways'] }),
    'types-three': spec({ policyTypes: ['Ingress', 'Egress', 'Ingress'] }),
    'types-twice': spec({ policyTypes: ['Ingress', 'Ingress'] }),
    'egress-type-without-rules': spec({ policyTypes: ['Egress'] }),
    'peer-empty': peer({}),
    'peer-block-and-selector': peer({ podSelector: {}, ipBlock: { cidr: '192.0.2.0/24' } }),
    'block-malformed': peer({ ipBlock: { cidr: '192.0.2.0' } }),
    'block-host-bits': peer({ ipBlock: { cidr: '192.0.2.5/24' } }),
    'block-leading-zeros': peer({ ipBlock: { cidr: '010.0.2.0/24' } }),
    'block-mapped': peer({ ipBlock: { cidr: '::ffff:192.0.2.0/120' } }),
    'except-outside': peer({ ipBlock: { cidr: '192.0.2.0/24', except: ['198.51.100.0/28'] } }),
    'except-equal': peer({ ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.0/24'] } }),
    'except-malformed': peer({ ipBlock: { cidr: '192.0.2.0/24', except: ['x'] } }),
    'except-other-family': peer({ ipBlock: { cidr: '192.0.2.0/24', except: ['fd00::/64'] } }),
    'selectors-empty': peer({ podSelector: {} }, { namespaceSelector: {} }),
    'selector-in-without-values': peer({ podSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } }),
    'end-port-below': spec({ ingress: [{ ports: [{ port: 80, endPort: 79 }] }] }),
    'end-port-with-name': spec({ ingress: [{ ports: [{ port: 'http', endPort: 79 }] }] }),
    'end-port-alone': spec({ ingress: [{ ports: [{ endPort: 79 }] }] }),
    'end-port-65536': spec({ ingress: [{ ports: [{ port: 80, endPort: 65536 }] }] }),
    'protocol-lowercase': spec({ egress: [{ ports: [{ protocol: 'tcp' }] }] }),
    'rules-empty': spec({ ingress: [{}], egress: [{}] }),
  },
};

const serviceCidrs: Subject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'ServiceCIDR',
  minimal: { spec: { cidrs: ['10.200.0.0/24'] } },
  shapes: {},
  crossed: {
    'spec-gone': { spec: gone },
    'cidrs-none': spec({ cidrs: [] }),
    'cidrs-v6': spec({ cidrs: ['fd00:1::/112'] }),
    'cidrs-dual': spec({ cidrs: ['10.200.0.0/24', 'fd00:1::/112'] }),
    'cidrs-same-family': spec({ cidrs: ['10.200.0.0/24', '10.201.0.0/24'] }),
    'cidrs-three': spec({ cidrs: ['10.200.0.0/24', 'fd00:1::/112', '10.201.0.0/24'] }),
    'cidr-malformed': spec({ cidrs: ['nope'] }),
    'cidr-host-bits': spec({ cidrs: ['10.200.0.1/24'] }),
    'cidr-of-one-address': spec({ cidrs: ['10.200.0.0/32'] }),
    'cidr-uppercase': spec({ cidrs: ['FD00:1::/112'] }),
  },
};

const ipAddresses: Subject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IPAddress',
  minimal: {
    metadata: { name: '10.96.250.9' },
    spec: { parentRef: { group: '', resource: 'services', namespace: 'default', name: 's' } },
  },
  shapes: {},
  hasFixedName: true,
  updates: {
    'parent-changed': update(spec({ parentRef: { name: 'other' } }), { metadata: { name: '10.96.250.10' } }),
    'parent-gone': update({ spec: { parentRef: gone } }, { metadata: { name: '10.96.250.11' } }),
    labels: update({ metadata: { labels: { a: 'b' } } }, { metadata: { name: '10.96.250.12' } }),
  },
  crossed: {
    'spec-gone': { spec: gone },
    'parent-gone': { spec: { parentRef: gone } },
    'parent-without-resource': spec({ parentRef: { resource: gone } }),
    'parent-without-name': spec({ parentRef: { name: gone } }),
    'parent-group': spec({ parentRef: { group: 'example.com' } }),
    'parent-group-bad': spec({ parentRef: { group: 'Bad Group!' } }),
    'parent-cluster-scoped': spec({ parentRef: { namespace: gone } }),
    'name-no-address': { metadata: { name: 'nope' } },
    'name-leading-zeros': { metadata: { name: '010.0.0.1' } },
    'name-v6': { metadata: { name: 'fd00::9' } },
    'name-v6-long': { metadata: { name: 'fd00:0:0:0:0:0:0:9' } },
  },
};

export const network: readonly Subject[] = [
  services,
  endpoints,
  endpointSlices,
  ingresses,
  ingressClasses,
  networkPolicies,
  serviceCidrs,
  ipAddresses,
];
