// A Service that does not lead to its pods.
import { until } from '../../e2e/cluster.ts';
import type { Scenario } from '../scenario.ts';
import {
  addressOf,
  clientDeployment,
  clusterIP,
  DNS_RULE,
  linePod,
  lineService,
  nodes,
  policy,
  rolledOut,
  untilPodOf,
  workload,
} from '../setups.ts';
import { pod, psql, readLine, service, type World } from '../world.ts';

const works = /hello/;

async function nodePortOf(world: World, svc: string): Promise<number> {
  return Number(await world.kubectl(['get', 'svc', svc, '-o', 'jsonpath={.spec.ports[0].nodePort}']));
}

const isUp = (p: { readonly status?: { readonly containerStatuses?: readonly { readonly state?: object }[] } }) =>
  p.status?.containerStatuses?.every((s) => s.state !== undefined && 'running' in s.state) === true;

/** Behind the back of the node's service proxy, which does not read the kernel again. */
async function inKernel(world: World, node: string, line: string): Promise<void> {
  await until('the Service in the kernel', 10_000, async () => {
    const output = await world.cluster.nodeShell(node, `nft '${line}'`);
    if (output.code !== 0) throw new Error(output.stderr);
    return true;
  });
}

export const SERVICE_SCENARIOS: readonly Scenario[] = [
  {
    code: 'SelectorMatchesNothing',
    title: 'a label’s value with a slip in it',
    async make(world) {
      const [server, svc] = [world.word(), world.word()];
      const port = world.port();
      await world.lineServer(server, port, { labels: { app: server, tier: 'back' } });
      await world.apply(service(svc, { app: `${server}s`, tier: 'back' }, [{ port }]));
      const client = await world.clientPod();
      await world.ready(server);
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        symptom: /refused/i,
        expected: { code: 'SelectorMatchesNothing', kind: 'Service', name: svc, field: /^spec\.selector/ },
      };
    },
  },
  {
    code: 'SelectorMatchesNothing',
    title: 'another key, a StatefulSet of PostgreSQL, asked from a Deployment',
    async make(world) {
      const [db, svc] = [world.word(), world.word()];
      await world.postgres(`${db}-decoy`, { labels: { other: db } });
      const env = { POSTGRES_USER: 'shop', POSTGRES_PASSWORD: 'shop' };
      await world.apply(
        workload(
          'StatefulSet',
          db,
          pod(db, 'docker.io/library/postgres:15', {
            env,
            port: 5432,
            labels: { 'app.kubernetes.io/name': db, 'app.kubernetes.io/component': 'database' },
            container: { readinessProbe: { exec: { command: ['pg_isready', '-h', '127.0.0.1'] }, periodSeconds: 1 } },
          }),
        ),
        service(svc, { app: db, component: 'database' }, [{ port: 5432 }]),
      );
      await rolledOut(world, 'StatefulSet', db);
      const name = await clientDeployment(world);
      return {
        why: [`postgres://shop@${svc}/shop`, '--from', `deploy/${name}`],
        client: { on: `deploy/${name}`, command: psql(svc) },
        symptom: /refused/i,
        expected: { code: 'SelectorMatchesNothing', kind: 'Service', name: svc, field: /^spec\.selector/ },
      };
    },
  },
  {
    code: 'SelectorMatchesNothing',
    title: 'a node port from the laptop, and a label more than the pods have',
    async make(world) {
      const [server, svc, port] = [world.word(), world.word(), world.port()];
      const labels = { app: server, version: 'v1' };
      await world.apply(
        workload('Deployment', server, linePod(server, port, { labels })),
        service(svc, { ...labels, release: 'blue' }, [{ port }], { type: 'NodePort' }),
      );
      await rolledOut(world, 'Deployment', server);
      const [{ address }] = await nodes(world);
      const nodePort = await nodePortOf(world, svc);
      return {
        why: [`tcp://${address}:${nodePort}`],
        client: { on: 'laptop', command: readLine(address, nodePort), works },
        symptom: /refused/i,
        expected: { code: 'SelectorMatchesNothing', kind: 'Service', name: svc, field: /^spec\.selector/ },
      };
    },
  },
  {
    code: 'TargetPortMismatch',
    title: 'targetPort is not what PostgreSQL listens on',
    async make(world) {
      const [server, svc] = [world.word(), world.word()];
      await world.postgres(server, { labels: { app: server } });
      await world.apply(service(svc, { app: server }, [{ port: 5432, targetPort: 5433 }]));
      const client = await world.clientPod();
      await world.ready(server);
      return {
        why: [`postgres://shop@${svc}:5432/shop`, '--from', `pod/${client}`],
        client: { on: client, command: psql(svc) },
        symptom: /refused/i,
        expected: { code: 'TargetPortMismatch', kind: 'Service', name: svc, field: /targetPort/ },
      };
    },
  },
  {
    code: 'TargetPortMismatch',
    title: 'a port’s name misspelt, the second of two',
    async make(world) {
      const [server, svc, port] = [world.word(), world.word(), world.port()];
      await world.apply(
        linePod(server, port, { labels: { app: server }, portName: 'lines' }),
        service(svc, { app: server }, [
          { name: 'number', port: port + 1, targetPort: port },
          { name: 'lines', port: 80, targetPort: 'line' },
        ]),
      );
      const client = await world.clientPod();
      await world.ready(server);
      return {
        why: [`${svc}:80`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, 80), works },
        symptom: /refused/i,
        expected: { code: 'TargetPortMismatch', kind: 'Service', name: svc, field: 'spec.ports[1].targetPort' },
      };
    },
  },
  {
    code: 'TargetPortMismatch',
    title: 'a node port from the laptop, the Service’s own port for a targetPort',
    async make(world) {
      const { svc, port } = await lineService(world, {
        servicePort: { targetPort: 80 },
        service: { type: 'NodePort' },
      });
      const [, { address }] = await nodes(world);
      const nodePort = await nodePortOf(world, svc);
      return {
        why: [`tcp://${address}:${nodePort}`],
        client: { on: 'laptop', command: readLine(address, nodePort), works },
        symptom: /refused/i,
        expected: { code: 'TargetPortMismatch', kind: 'Service', name: svc, field: 'spec.ports[0].targetPort' },
        cureSays: new RegExp(String(port)),
      };
    },
  },
  {
    code: 'ServicePortMissing',
    title: 'the pod’s port instead of the Service’s',
    async make(world) {
      const { server, port } = await lineService(world);
      const svc = world.word();
      await world.apply(service(svc, { app: server }, [{ port: 80, targetPort: port }]));
      const client = await world.clientPod();
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        expected: { code: 'ServicePortMissing', kind: 'Service', name: svc, field: 'spec.ports' },
      };
    },
  },
  {
    code: 'ServicePortMissing',
    title: 'PostgreSQL’s usual port at a Service of two others',
    async make(world) {
      const [server, svc] = [world.word(), world.word()];
      await world.postgres(server, { labels: { app: server } });
      await world.apply(
        service(svc, { app: server }, [
          { name: 'metrics', port: 9187 },
          { name: 'db', port: 6000, targetPort: 5432 },
        ]),
      );
      const name = await clientDeployment(world);
      await world.ready(server);
      return {
        why: [`postgres://shop@${svc}/shop`, '--from', `deploy/${name}`],
        client: { on: `deploy/${name}`, command: psql(svc) },
        expected: { code: 'ServicePortMissing', kind: 'Service', name: svc, field: 'spec.ports' },
      };
    },
  },
  {
    code: 'ServicePortMissing',
    title: 'the port is there for UDP, asked from a node',
    async make(world) {
      const { svc, port } = await lineService(world, { servicePort: { protocol: 'UDP' } });
      const [{ name: node }] = await nodes(world);
      const ip = await clusterIP(world, svc);
      return {
        why: [`tcp://${ip}:${port}`, '--from', `node/${node}`],
        client: { on: `node/${node}`, command: readLine(ip, port), works },
        expected: { code: 'ServicePortMissing', kind: 'Service', name: svc, field: 'spec.ports' },
      };
    },
  },
  {
    code: 'NoReadyEndpoints',
    title: 'a readiness probe for a path that a line server has not',
    async make(world) {
      const [server, svc, port] = [world.word(), world.word(), world.port()];
      const labels = { app: server };
      const container = { readinessProbe: { httpGet: { path: '/healthz', port }, periodSeconds: 1 } };
      await world.apply(
        workload('Deployment', server, linePod(server, port, { labels, container })),
        service(svc, labels, [{ port }]),
      );
      const client = await world.clientPod();
      await untilPodOf(world, `app=${server}`, isUp);
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        symptom: /refused/i,
        expected: {
          code: 'NoReadyEndpoints',
          kind: 'Deployment',
          name: server,
          field: 'spec.template.spec.containers[0].readinessProbe',
        },
      };
    },
  },
  {
    code: 'NoReadyEndpoints',
    title: 'a readiness probe of another port, at a node port from the laptop',
    async make(world) {
      const [server, svc, port] = [world.word(), world.word(), world.port()];
      const labels = { app: server };
      const container = { readinessProbe: { tcpSocket: { port: port + 1 }, periodSeconds: 1 } };
      await world.apply(
        workload('StatefulSet', server, linePod(server, port, { labels, container }), {
          podManagementPolicy: 'Parallel',
        }),
        service(svc, labels, [{ port }], { type: 'NodePort' }),
      );
      await untilPodOf(world, `app=${server}`, isUp);
      const [{ address }] = await nodes(world);
      const nodePort = await nodePortOf(world, svc);
      return {
        why: [`tcp://${address}:${nodePort}`],
        client: { on: 'laptop', command: readLine(address, nodePort), works },
        symptom: /refused/i,
        expected: {
          code: 'NoReadyEndpoints',
          kind: 'StatefulSet',
          name: server,
          field: 'spec.template.spec.containers[0].readinessProbe',
        },
      };
    },
  },
  {
    code: 'NoReadyEndpoints',
    title: 'PostgreSQL whose readiness probe asks for another user by exec',
    async make(world) {
      const [db, svc] = [world.word(), world.word()];
      const env = { POSTGRES_USER: 'shop', POSTGRES_PASSWORD: 'shop' };
      const command = ['psql', '-U', 'postgres', '-c', 'SELECT 1'];
      await world.apply(
        workload(
          'Deployment',
          db,
          pod(db, 'docker.io/library/postgres:15', {
            env,
            port: 5432,
            labels: { app: db },
            container: { readinessProbe: { exec: { command }, periodSeconds: 1 } },
          }),
        ),
        service(svc, { app: db }, [{ port: 5432 }]),
      );
      const name = await clientDeployment(world);
      await until('PostgreSQL to listen', 60_000, async () => {
        const at = `deploy/${db}`;
        return (await world.cluster.exec(world.namespace, at, ['pg_isready', '-q', '-h', '127.0.0.1'])).code === 0;
      });
      return {
        why: [`postgres://shop@${svc}/shop`, '--from', `deploy/${name}`],
        client: { on: `deploy/${name}`, command: psql(svc) },
        symptom: /refused/i,
        expected: {
          code: 'NoReadyEndpoints',
          kind: 'Deployment',
          name: db,
          field: 'spec.template.spec.containers[0].readinessProbe',
        },
      };
    },
  },
  {
    code: 'NoReadyEndpoints',
    title: 'a Service without selector that nobody wrote endpoints for',
    async make(world) {
      const [server, port] = [world.word(), world.port()];
      const svc = `${server}-lines`;
      await world.lineServer(server, port, { labels: { app: server } });
      await world.apply({ apiVersion: 'v1', kind: 'Service', metadata: { name: svc }, spec: { ports: [{ port }] } });
      const client = await world.clientPod();
      await world.ready(server);
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        expected: { code: 'NoReadyEndpoints', kind: 'Service', name: svc, field: 'spec.selector' },
      };
    },
  },
  {
    code: 'NodePortOutOfRange',
    title: 'the pod’s port at a node, from the laptop',
    async make(world) {
      const { svc, port } = await lineService(world, { service: { type: 'NodePort' } });
      const [{ address }] = await nodes(world);
      const nodePort = await nodePortOf(world, svc);
      return {
        why: [`tcp://${address}:${port}`],
        client: { on: 'laptop', command: readLine(address, port), works },
        symptom: /refused/i,
        expected: { code: 'NodePortOutOfRange', kind: 'Service', name: svc, field: 'spec.ports[0].nodePort' },
        cureSays: new RegExp(`use .*${nodePort}`),
        afterCure: { on: 'laptop', command: readLine(address, nodePort), works },
      };
    },
  },
  {
    code: 'NodePortOutOfRange',
    title: 'the port of a ClusterIP Service at a node, from a pod',
    async make(world) {
      const { svc, port } = await lineService(world);
      const client = await world.clientPod();
      const [, { address }] = await nodes(world);
      return {
        why: [`tcp://${address}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(address, port), works },
        symptom: /refused/i,
        expected: { code: 'NodePortOutOfRange', kind: 'Service', name: svc, field: 'spec.ports[0].nodePort' },
        incurable: 'the node port that the Service gets is not known before',
      };
    },
  },
  {
    code: 'NodePortOutOfRange',
    title: 'a node port that the Service had before it was made anew',
    async make(world) {
      const { server, svc, port } = await lineService(world, { service: { type: 'NodePort' } });
      const old = await nodePortOf(world, svc);
      await world.kubectl(['delete', 'service', svc]);
      await world.apply(
        service(svc, { app: server }, [{ port, nodePort: old === 32_767 ? 32_766 : old + 1 }], { type: 'NodePort' }),
      );
      const [{ address }] = await nodes(world);
      return {
        why: [`tcp://${address}:${old}`, '-n', world.namespace],
        client: { on: 'laptop', command: readLine(address, old), works },
        symptom: /refused/i,
        expected: { code: 'NodePortOutOfRange', kind: 'Service', name: svc, field: 'spec.ports[0].nodePort' },
      };
    },
  },
  {
    code: 'NoLocalEndpoint',
    title: 'internalTrafficPolicy Local, and the pods are elsewhere',
    async make(world) {
      const [here, there] = await nodes(world);
      const { svc, port } = await lineService(world, {
        node: there.name,
        service: { internalTrafficPolicy: 'Local' },
      });
      const client = await world.clientPod({ node: here.name });
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        expected: { code: 'NoLocalEndpoint', kind: 'Service', name: svc, field: 'spec.internalTrafficPolicy' },
      };
    },
  },
  {
    code: 'NoLocalEndpoint',
    title: 'internalTrafficPolicy Local, asked from a node',
    async make(world) {
      const [here, there] = await nodes(world);
      const { svc, port } = await lineService(world, {
        node: here.name,
        service: { internalTrafficPolicy: 'Local' },
      });
      const ip = await clusterIP(world, svc);
      return {
        why: [`tcp://${ip}:${port}`, '--from', `node/${there.name}`],
        client: { on: `node/${there.name}`, command: readLine(ip, port), works },
        expected: { code: 'NoLocalEndpoint', kind: 'Service', name: svc, field: 'spec.internalTrafficPolicy' },
      };
    },
  },
  {
    code: 'NoLocalEndpoint',
    title: 'externalTrafficPolicy Local at another node, from the laptop',
    async make(world) {
      const [here, there] = await nodes(world);
      const { svc } = await lineService(world, {
        node: here.name,
        service: { type: 'NodePort', externalTrafficPolicy: 'Local' },
      });
      const nodePort = await nodePortOf(world, svc);
      return {
        why: [`tcp://${there.address}:${nodePort}`],
        client: { on: 'laptop', command: readLine(there.address, nodePort), works },
        expected: { code: 'NoLocalEndpoint', kind: 'Service', name: svc, field: 'spec.externalTrafficPolicy' },
      };
    },
  },
  {
    code: 'HeadlessHasNoPort',
    title: 'the port of a headless Service that has another targetPort',
    async make(world) {
      const { svc, port } = await lineService(world, { service: { clusterIP: 'None' } });
      const head = `${svc}-head`;
      const server = JSON.parse(await world.kubectl(['get', 'svc', svc, '-o', 'json'])) as {
        spec: { selector: Record<string, string> };
      };
      await world.apply(service(head, server.spec.selector, [{ port: 80, targetPort: port }], { clusterIP: 'None' }));
      const client = await world.clientPod();
      return {
        why: [`tcp://${head}:80`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(head, 80), works },
        symptom: /refused/i,
        expected: { code: 'HeadlessHasNoPort', kind: 'Service', name: head, field: 'spec.ports[0].targetPort' },
        cureSays: new RegExp(`use .*:${port}`),
        afterCure: { on: client, command: readLine(head, port), works },
      };
    },
  },
  {
    code: 'HeadlessHasNoPort',
    title: 'PostgreSQL at a headless Service’s second port, by name',
    async make(world) {
      const [server, svc] = [world.word(), world.word()];
      await world.postgres(server, { labels: { app: server }, portName: 'sql' });
      const ports = [
        { name: 'metrics', port: 9187 },
        { name: 'sql', port: 6432, targetPort: 'sql' },
      ];
      await world.apply(service(svc, { app: server }, ports, { clusterIP: 'None' }));
      const name = await clientDeployment(world);
      await world.ready(server);
      return {
        why: [`postgres://shop@${svc}:6432/shop`, '--from', `deploy/${name}`],
        client: { on: `deploy/${name}`, command: psql(svc, 6432) },
        symptom: /refused/i,
        expected: { code: 'HeadlessHasNoPort', kind: 'Service', name: svc, field: 'spec.ports[1].targetPort' },
        cureSays: /use .*:5432/,
        afterCure: { on: `deploy/${name}`, command: psql(svc, 5432) },
      };
    },
  },
  {
    code: 'HeadlessHasNoPort',
    title: 'a pod’s own name below a StatefulSet’s Service',
    async make(world) {
      const [sts, port] = [world.word(), world.port()];
      await world.apply(
        workload('StatefulSet', sts, linePod(sts, port, { labels: { app: sts } }), { replicas: 2 }),
        service(sts, { app: sts }, [{ port: 80, targetPort: port }], { clusterIP: 'None' }),
      );
      await rolledOut(world, 'StatefulSet', sts);
      const client = await world.clientPod();
      const host = `${sts}-1.${sts}.${world.namespace}.svc.cluster.local`;
      return {
        why: [`tcp://${host}:80`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(host, 80), works },
        symptom: /refused/i,
        expected: { code: 'HeadlessHasNoPort', kind: 'Service', name: sts, field: 'spec.ports[0].targetPort' },
        cureSays: new RegExp(`use .*:${port}`),
        afterCure: { on: client, command: readLine(host, port), works },
      };
    },
  },
  ...(
    [
      ['the cluster IP is not in the kernel of the client’s node', false],
      ['the cluster IP is not in the kernel, asked from the node', true],
    ] as const
  ).map(
    ([title, fromNode]): Scenario => ({
      code: 'RulesNotProgrammed',
      title,
      alone: true,
      async make(world) {
        const [{ name: node }] = await nodes(world);
        const { svc, port } = await lineService(world);
        const client = fromNode ? '' : await world.clientPod({ node });
        const ip = await clusterIP(world, svc);
        await inKernel(world, node, `delete element ip coracle_services cluster_addresses { ${ip} . tcp . ${port} }`);
        return {
          why: [`tcp://${ip}:${port}`, '--from', fromNode ? `node/${node}` : `pod/${client}`],
          client: { on: fromNode ? `node/${node}` : client, command: readLine(ip, port), works },
          expected: { code: 'RulesNotProgrammed', kind: 'Node', name: node },
        };
      },
    }),
  ),
  {
    code: 'RulesNotProgrammed',
    title: 'the kernel sends to a pod that is gone',
    alone: true,
    async make(world) {
      const [{ name: node }] = await nodes(world);
      const server = world.word();
      await world.postgres(server, { labels: { app: server } });
      await world.apply(service(server, { app: server }, [{ port: 5432 }]));
      const client = await world.clientPod({ node });
      await world.ready(server);
      const [ip, at] = [await clusterIP(world, server), await addressOf(world, server)];
      const listed = await world.cluster.nodeShell(node, 'nft list map ip coracle_services endpoints');
      const element = new RegExp(`(0x[0-9a-f]+ \\. 0x[0-9a-f]+) : ${at.replaceAll('.', '\\.')} \\. 5432`).exec(
        listed.stdout,
      );
      if (element === null) throw new Error(`no endpoint ${at}:5432 of ${ip} in ${listed.stdout}`);
      await inKernel(
        world,
        node,
        `delete element ip coracle_services endpoints { ${element[1]} }; add element ip coracle_services endpoints { ${element[1]} : 10.244.251.9 . 5432 }`,
      );
      return {
        why: [`postgres://shop@${server}/shop`, '--from', `pod/${client}`],
        client: { on: client, command: psql(server) },
        expected: { code: 'RulesNotProgrammed', kind: 'Node', name: node },
      };
    },
  },
  {
    code: 'SelectorMatchesNothing',
    title: 'the right Deployment, scaled to nothing, beside another with a label like its',
    async make(world) {
      const { port } = await lineService(world, { labels: { app: 'lines', tier: 'front' } });
      const [server, svc] = [world.word(), world.word()];
      const labels = { app: server, tier: 'front' };
      await world.apply(
        workload('Deployment', server, linePod(server, port, { labels }), { replicas: 0 }),
        service(svc, labels, [{ port }]),
      );
      const client = await world.clientPod();
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        symptom: /refused/i,
        expected: { code: 'SelectorMatchesNothing', kind: 'Deployment', name: server, field: 'spec.replicas' },
      };
    },
  },
  {
    code: 'SelectorMatchesNothing',
    title: 'and the server’s pods let nobody in',
    async make(world) {
      const [server, svc, port, name] = [world.word(), world.word(), world.port(), world.word()];
      await world.apply(
        linePod(server, port, { labels: { app: server } }),
        service(svc, { app: `${server}x` }, [{ port }]),
        policy(name, { podSelector: { matchLabels: { app: server } } }),
      );
      const client = await world.clientPod();
      await world.ready(server);
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        expected: { code: 'SelectorMatchesNothing', kind: 'Service', name: svc, field: 'spec.selector' },
        also: { code: 'IngressDenied', kind: 'NetworkPolicy', name, field: /^spec\.ingress/ },
      };
    },
  },
  {
    code: 'TargetPortMismatch',
    title: 'and the client’s Deployment may send to nobody but the DNS',
    async make(world) {
      const { svc, port } = await lineService(world, { servicePort: { targetPort: 9 } });
      const client = await clientDeployment(world);
      const name = world.word();
      await world.apply(
        policy(name, { podSelector: { matchLabels: { client } }, policyTypes: ['Egress'], egress: [DNS_RULE] }),
      );
      return {
        why: [`tcp://${svc}:${port}`, '--from', `deploy/${client}`],
        client: { on: `deploy/${client}`, command: readLine(svc, port), works },
        expected: { code: 'TargetPortMismatch', kind: 'Service', name: svc, field: 'spec.ports[0].targetPort' },
        also: { code: 'EgressDenied', kind: 'NetworkPolicy', name, field: /^spec\.egress/ },
      };
    },
  },
  {
    code: 'NoReadyEndpoints',
    title: 'and a policy for another port than the server’s',
    async make(world) {
      const [server, svc, port, name] = [world.word(), world.word(), world.port(), world.word()];
      const labels = { app: server };
      const container = { readinessProbe: { tcpSocket: { port: port + 2 }, periodSeconds: 1 } };
      await world.apply(
        workload('Deployment', server, linePod(server, port, { labels, container })),
        service(svc, labels, [{ port }]),
        policy(name, { podSelector: { matchLabels: labels }, ingress: [{ ports: [{ port: port + 1 }] }] }),
      );
      const client = await world.clientPod();
      await untilPodOf(world, `app=${server}`, isUp);
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        expected: { code: 'NoReadyEndpoints', kind: 'Deployment', name: server, field: /readinessProbe$/ },
        also: { code: 'IngressDenied', kind: 'NetworkPolicy', name, field: /^spec\.ingress/ },
      };
    },
  },
];
