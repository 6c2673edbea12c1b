// Set-ups of names, Services and policies that look suspicious and work.
import type { Pod } from '#generated/api/core-v1.ts';
import type { Scenario, Situation } from '../scenario.ts';
import {
  addressOf,
  clientDeployment,
  clusterIP,
  DNS_RULE,
  lineCommand,
  linePod,
  lineService,
  nodes,
  policy,
  rolledOut,
  untilPod,
  workload,
} from '../setups.ts';
import { pod, readLine, service, type World } from '../world.ts';

const works = /hello/;

const healthy = (title: string, make: (world: World) => Promise<Situation>): Scenario => ({
  code: 'healthy',
  title,
  make,
});

/** From a pod to a host and port. */
const asked = (client: string, host: string, port: number): Situation => ({
  why: [`tcp://${host}:${port}`, '--from', `pod/${client}`],
  client: { on: client, command: readLine(host, port), works },
});

async function nodePortOf(world: World, svc: string): Promise<number> {
  return Number(await world.kubectl(['get', 'svc', svc, '-o', 'jsonpath={.spec.ports[0].nodePort}']));
}

export const HEALTHY_NETWORK_SCENARIOS: readonly Scenario[] = [
  healthy('one policy denies all and another lets the client in', async (world) => {
    const { server, svc, port } = await lineService(world);
    const client = await world.clientPod({ labels: { role: 'client' } });
    await world.apply(
      policy('a-deny', { policyTypes: ['Ingress'] }),
      policy('b-other', { ingress: [{ from: [{ podSelector: { matchLabels: { role: 'nobody' } } }] }] }),
      policy('c-allow', {
        podSelector: { matchLabels: { app: server } },
        ingress: [
          { from: [{ podSelector: { matchExpressions: [{ key: 'role', operator: 'NotIn', values: ['x'] }] } }] },
        ],
      }),
    );
    return asked(client, svc, port);
  }),
  healthy('a policy that allows a named port from namespaces by expression', async (world) => {
    const namespace = await world.otherNamespace();
    const { server, svc, port } = await lineService(world, { portName: 'lines', namespace });
    const client = await world.clientPod();
    const from = [
      {
        namespaceSelector: {
          matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['kube-system'] }],
        },
      },
    ];
    await world.apply(
      policy(
        'named',
        { podSelector: { matchLabels: { app: server } }, ingress: [{ from, ports: [{ port: 'lines' }] }] },
        namespace,
      ),
    );
    return asked(client, `${svc}.${namespace}`, port);
  }),
  healthy('an address range that leaves out one address, not the client’s', async (world) => {
    const { svc, port } = await lineService(world);
    const client = await world.clientPod();
    const ip = await addressOf(world, client);
    const except = [`${ip.replace(/\d+$/, (last) => String((Number(last) + 9) % 250))}/32`];
    await world.apply(policy('block', { ingress: [{ from: [{ ipBlock: { cidr: '10.244.0.0/16', except } }] }] }));
    return asked(client, svc, port);
  }),
  healthy('default-deny egress with DNS and one range of ports allowed', async (world) => {
    const { svc, port } = await lineService(world, { servicePort: {} });
    const client = await clientDeployment(world);
    const ports = [{ protocol: 'TCP', port: port - 3, endPort: port + 2 }];
    await world.apply(
      policy('deny', { policyTypes: ['Egress'] }),
      policy('allow', { policyTypes: ['Egress'], egress: [DNS_RULE, { to: [{ namespaceSelector: {} }], ports }] }),
    );
    return {
      why: [`tcp://${svc}:${port}`, '--from', `deploy/${client}`],
      client: { on: `deploy/${client}`, command: readLine(svc, port), works },
    };
  }),
  healthy('a policy that isolates the client for ingress only', async (world) => {
    const { svc, port } = await lineService(world);
    const client = await world.clientPod({ labels: { role: 'client' } });
    await world.apply(policy('in', { podSelector: { matchLabels: { role: 'client' } }, policyTypes: ['Ingress'] }));
    return asked(client, svc, port);
  }),
  healthy('default-deny ingress, and the client is the pod’s own node', async (world) => {
    const [{ name: node }] = await nodes(world);
    const { svc, port } = await lineService(world, { node });
    await world.apply(policy('deny', { policyTypes: ['Ingress'] }));
    const ip = await clusterIP(world, svc);
    return {
      why: [`tcp://${ip}:${port}`, '--from', `node/${node}`],
      client: { on: `node/${node}`, command: readLine(ip, port), works },
    };
  }),
  healthy('internalTrafficPolicy Local with an endpoint on the client’s node', async (world) => {
    const [{ name: node }] = await nodes(world);
    const { svc, port } = await lineService(world, { node, service: { internalTrafficPolicy: 'Local' } });
    return asked(await world.clientPod({ node }), svc, port);
  }),
  healthy('externalTrafficPolicy Local at the node that has the pod', async (world) => {
    const [, { name: node, address }] = await nodes(world);
    const { svc } = await lineService(world, { node, service: { type: 'NodePort', externalTrafficPolicy: 'Local' } });
    const nodePort = await nodePortOf(world, svc);
    return {
      why: [`${address}:${nodePort}`],
      client: { on: 'laptop', command: readLine(address, nodePort), works },
    };
  }),
  healthy('a node port at a node that has no pod', async (world) => {
    const [{ name: node }, { address }] = await nodes(world);
    const { svc } = await lineService(world, { node, service: { type: 'NodePort' } });
    const nodePort = await nodePortOf(world, svc);
    return {
      why: [`tcp://${address}:${nodePort}`],
      client: { on: 'laptop', command: readLine(address, nodePort), works },
    };
  }),
  healthy('publishNotReadyAddresses, and the pod is not ready', async (world) => {
    const [sts, port] = [world.word(), world.port()];
    const labels = { app: sts };
    const container = { readinessProbe: { tcpSocket: { port: port + 3 }, periodSeconds: 1 } };
    await world.apply(
      workload('StatefulSet', sts, linePod(sts, port, { labels, container }), { podManagementPolicy: 'Parallel' }),
      service(sts, labels, [{ port }], { clusterIP: 'None', publishNotReadyAddresses: true }),
    );
    const client = await world.clientPod();
    await untilPod(world, `${sts}-0`, (p) => p.status?.containerStatuses?.[0]?.state?.running !== undefined);
    return asked(client, `${sts}-0.${sts}`, port);
  }),
  healthy('an ExternalName of a Service in another namespace', async (world) => {
    const namespace = await world.otherNamespace();
    const { svc, port } = await lineService(world, { namespace });
    const alias = world.word();
    await world.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: alias },
      spec: { type: 'ExternalName', externalName: `${svc}.${namespace}.svc.cluster.local` },
    });
    return asked(await world.clientPod(), alias, port);
  }),
  healthy('one port number for TCP and UDP, with different targets', async (world) => {
    const { server, port } = await lineService(world);
    const svc = world.word();
    await world.apply(
      service(svc, { app: server }, [
        { name: 'u', protocol: 'UDP', port: 53, targetPort: 9 },
        { name: 't', protocol: 'TCP', port: 53, targetPort: port },
      ]),
    );
    return asked(await world.clientPod(), svc, 53);
  }),
  healthy('a server on the host’s network behind a Service', async (world) => {
    const [server, svc, port] = [world.word(), world.word(), world.port() + 10_000];
    const labels = { app: server };
    await world.apply(
      linePod(server, port, { labels, spec: { hostNetwork: true } }),
      service(svc, labels, [{ port: 80, targetPort: port }]),
    );
    const client = await world.clientPod();
    await world.ready(server);
    return asked(client, svc, 80);
  }),
  healthy('a Service without selector and an EndpointSlice of its own', async (world) => {
    const { server, port } = await lineService(world);
    const [svc, ip] = [world.word(), await addressOf(world, server)];
    await world.apply(
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: svc },
        spec: { ports: [{ name: 'l', port: 81, targetPort: 9 }] },
      },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: world.word(), labels: { 'kubernetes.io/service-name': svc } },
        addressType: 'IPv4',
        ports: [{ name: 'l', port }],
        endpoints: [{ addresses: [ip] }],
      },
    );
    return asked(await world.clientPod(), svc, 81);
  }),
  healthy('a headless Service whose port is wrong, dialled on the pod’s own', async (world) => {
    const { server, port } = await lineService(world);
    const svc = world.word();
    await world.apply(service(svc, { app: server }, [{ port: 80, targetPort: 'absent' }], { clusterIP: 'None' }));
    return asked(await world.clientPod(), svc, port);
  }),
  healthy('a rollout that is stuck at an image that is not there', async (world) => {
    const [server, svc, port] = [world.word(), world.word(), world.port()];
    const labels = { app: server };
    await world.apply(
      workload('Deployment', server, linePod(server, port, { labels })),
      service(svc, labels, [{ port }]),
    );
    await rolledOut(world, 'Deployment', server);
    await world.kubectl(['set', 'image', `deploy/${server}`, 'main=ghcr.io/acme/api:9.9.9']);
    return asked(await world.clientPod(), svc, port);
  }),
  healthy('one of two pods does not listen, and is not ready', async (world) => {
    const [one, two, svc, port] = [world.word(), world.word(), world.word(), world.port()];
    const labels = { app: svc };
    const readinessProbe = { tcpSocket: { port }, periodSeconds: 1 };
    await world.apply(
      linePod(one, port, { labels, container: { readinessProbe } }),
      linePod(two, port, { labels, container: { readinessProbe, command: lineCommand(port + 1) } }),
      service(svc, labels, [{ port }]),
    );
    const client = await world.clientPod();
    await world.ready(one);
    await untilPod(world, two, (p: Pod) => p.status?.containerStatuses?.[0]?.state?.running !== undefined);
    return asked(client, svc, port);
  }),
  healthy('a hostPort at the node, from the laptop', async (world) => {
    const [{ name: node, address }] = await nodes(world);
    const [server, port, hostPort] = [world.word(), world.port(), 33_000 + (world.seed % 20_000)];
    const container = { ports: [{ containerPort: port, hostPort }] };
    await world.apply(linePod(server, port, { node, container }));
    await world.ready(server);
    return {
      why: [`tcp://${address}:${hostPort}`],
      client: { on: 'laptop', command: readLine(address, hostPort), works },
    };
  }),
  healthy('hostAliases that name the Service’s own cluster IP', async (world) => {
    const { svc, port } = await lineService(world);
    const ip = await clusterIP(world, svc);
    const name = await clientDeployment(world, { spec: { hostAliases: [{ ip, hostnames: [svc, 'db'] }] } });
    return {
      why: [`tcp://${svc}:${port}`, '--from', `deploy/${name}`],
      client: { on: `deploy/${name}`, command: readLine(svc, port), works },
    };
  }),
  healthy('dnsPolicy None with the cluster’s DNS and search domain written out', async (world) => {
    const { svc, port } = await lineService(world);
    const dns = await world.cluster.kubectl([
      '-n',
      'kube-system',
      'get',
      'svc',
      'kube-dns',
      '-o',
      'jsonpath={.spec.clusterIP}',
    ]);
    const dnsConfig = { nameservers: [dns], searches: [`${world.namespace}.svc.cluster.local`] };
    return asked(await world.clientPod({ spec: { dnsPolicy: 'None', dnsConfig } }), svc, port);
  }),
  healthy('a port by name, at a Service with a numbered one beside it', async (world) => {
    const [server, svc, port] = [world.word(), world.word(), world.port()];
    const labels = { app: server };
    const ports = [
      { containerPort: port + 1, name: 'admin' },
      { containerPort: port, name: 'lines' },
    ];
    await world.apply(
      pod(server, 'ghcr.io/acme/api:1.4.2', { labels, container: { ports, command: lineCommand(port) } }),
      service(svc, labels, [
        { name: 'admin', port: 80, targetPort: 'admin' },
        { name: 'lines', port: 81, targetPort: 'lines' },
      ]),
    );
    const client = await world.clientPod();
    await world.ready(server);
    return {
      why: [`svc/${svc}:lines`, '--from', `pod/${client}`],
      client: { on: client, command: readLine(svc, 81), works },
    };
  }),
];
