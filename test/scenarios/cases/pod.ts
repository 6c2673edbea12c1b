// A Service or name whose pods cannot answer: none has started, none stays, none is ready, all are going.
import type { Pod } from '#generated/api/core-v1.ts';
import { until } from '../../e2e/cluster.ts';
import type { Scenario } from '../scenario.ts';
import {
  clientDeployment,
  lineCommand,
  linePod,
  nodes,
  rolledOut,
  SERVER_IMAGE,
  untilPod,
  untilPodOf,
  workload,
} from '../setups.ts';
import { pod, psql, readLine, service, type World } from '../world.ts';

const works = /hello/;

const waits = (reason: RegExp) => (p: Pod) =>
  p.status?.containerStatuses?.some((s) => reason.test(s.state?.waiting?.reason ?? '')) === true;
const unscheduled = (p: Pod) =>
  p.status?.conditions?.some((c) => c.type === 'PodScheduled' && c.status === 'False') === true;
const isRunning = (p: Pod) => p.status?.containerStatuses?.every((s) => s.state?.running !== undefined) === true;

/** A line server that cannot be scheduled for want of something in its template. */
const pending = (
  title: string,
  kind: 'Deployment' | 'StatefulSet',
  options: { readonly spec?: object; readonly container?: object },
  field: string,
): Scenario => ({
  code: 'PodPending',
  title,
  async make(world) {
    const [server, svc, port] = [world.word(), world.word(), world.port()];
    const labels = { app: server };
    await world.apply(
      workload(kind, server, linePod(server, port, { labels, ...options })),
      service(svc, labels, [{ port }]),
    );
    const client = await world.clientPod();
    await untilPodOf(world, `app=${server}`, unscheduled);
    return {
      why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
      client: { on: client, command: readLine(svc, port), works },
      symptom: /refused/i,
      expected: { code: 'PodPending', kind, name: server, field },
    };
  },
});

const pull = (title: string, kind: 'Deployment' | 'StatefulSet' | 'Pod', image: string): Scenario => ({
  code: 'ImagePullFailed',
  title,
  async make(world) {
    const [server, svc, port] = [world.word(), world.word(), world.port()];
    const labels = { app: server };
    const made = pod(server, image, { labels, port, container: { command: lineCommand(port) } });
    await world.apply(kind === 'Pod' ? made : workload(kind, server, made), service(svc, labels, [{ port }]));
    const client = await clientDeployment(world);
    await untilPodOf(world, `app=${server}`, waits(/Pull|Image/));
    return {
      why: [`tcp://${svc}:${port}`, '--from', `deploy/${client}`],
      client: { on: `deploy/${client}`, command: readLine(svc, port), works },
      symptom: /refused/i,
      expected: {
        code: 'ImagePullFailed',
        kind,
        name: server,
        field: `${kind === 'Pod' ? '' : 'spec.template.'}spec.containers[0].image`,
      },
    };
  },
});

/** A pod that is going and does not go. */
async function going(world: World, name: string): Promise<void> {
  await world.kubectl(['delete', 'pod', name, '--wait=false']);
  await untilPod(world, name, (p) => p.metadata.deletionTimestamp !== undefined);
}

export const POD_SCENARIOS: readonly Scenario[] = [
  pending(
    'a node selector that no node has',
    'Deployment',
    { spec: { nodeSelector: { disk: 'fast' } } },
    'spec.template.spec.nodeSelector',
  ),
  pending(
    'more CPU than any node has',
    'StatefulSet',
    { container: { resources: { requests: { cpu: '500' } } } },
    'spec.template.spec.containers[0].resources.requests.cpu',
  ),
  pending(
    'more memory than any node has',
    'Deployment',
    { container: { resources: { requests: { cpu: '1m', memory: '9000Gi' } } } },
    'spec.template.spec.containers[0].resources.requests.memory',
  ),
  pending(
    'an affinity that no node fits',
    'Deployment',
    {
      spec: {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['mars'] }] }],
            },
          },
        },
      },
    },
    'spec.template.spec.affinity',
  ),
  pull('a tag with its digits turned round', 'Deployment', 'ghcr.io/acme/api:1.2.4'),
  pull('a repository with a letter too many', 'StatefulSet', 'ghcr.io/acme/appi:1.4.2'),
  pull('another registry, in a bare pod', 'Pod', 'ghcr.io/acmee/api:1.4.2'),
  {
    code: 'CrashLoopBackOff',
    title: 'PostgreSQL without a superuser’s password',
    async make(world) {
      const [db, svc] = [world.word(), world.word()];
      const made = pod(db, 'docker.io/library/postgres:15', {
        port: 5432,
        labels: { app: db },
        env: { POSTGRES_USER: 'shop' },
      });
      await world.apply(workload('StatefulSet', db, made), service(svc, { app: db }, [{ port: 5432 }]));
      const client = await world.clientPod();
      await untilPodOf(world, `app=${db}`, waits(/CrashLoop/));
      return {
        why: [`postgres://${svc}/shop`, '--from', `pod/${client}`],
        client: { on: client, command: ['pg_isready', '-h', svc, '-t', '3'] },
        symptom: /no response|refused/i,
        expected: {
          code: 'CrashLoopBackOff',
          kind: 'StatefulSet',
          name: db,
          field: 'spec.template.spec.containers[0].env',
        },
      };
    },
  },
  {
    code: 'CrashLoopBackOff',
    title: 'a command that the image has not',
    async make(world) {
      const [server, svc] = [world.word(), world.word()];
      const labels = { app: server };
      const made = pod(server, 'nginx:1.22', { labels, port: 80, container: { command: ['nginxd', '-x'] } });
      await world.apply(workload('Deployment', server, made), service(svc, labels, [{ port: 80 }]));
      const client = await clientDeployment(world);
      await untilPodOf(world, `app=${server}`, waits(/CrashLoop/));
      return {
        why: [`http://${svc}/`, '--from', `deploy/${client}`],
        client: { on: `deploy/${client}`, command: ['curl', '-sS', '-m', '3', `http://${svc}/`] },
        symptom: /refused|connect/i,
        expected: {
          code: 'CrashLoopBackOff',
          kind: 'Deployment',
          name: server,
          field: 'spec.template.spec.containers[0].command',
        },
      };
    },
  },
  {
    code: 'CrashLoopBackOff',
    title: 'a server that ends with an error of its own, in a bare pod',
    async make(world) {
      const [server, svc, port] = [world.word(), world.word(), world.port()];
      const labels = { app: server };
      const command = ['node', '-e', `console.error('Error: cannot read /etc/${server}.conf'); process.exit(3)`];
      await world.apply(
        pod(server, SERVER_IMAGE, { labels, port, container: { command } }),
        service(svc, labels, [{ port }]),
      );
      const client = await world.clientPod();
      await untilPodOf(world, `app=${server}`, waits(/CrashLoop/));
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        symptom: /refused/i,
        expected: { code: 'CrashLoopBackOff', kind: 'Pod', name: server, field: 'spec.containers[0].command' },
        incurable: 'what the program wants is its own',
      };
    },
  },
  {
    code: 'PodNotReady',
    title: 'a StatefulSet’s pod by its own name, and its readiness probe asks another port',
    async make(world) {
      const [sts, port] = [world.word(), world.port()];
      const labels = { app: sts };
      const container = { readinessProbe: { tcpSocket: { port: port + 7 }, periodSeconds: 1 } };
      await world.apply(
        workload('StatefulSet', sts, linePod(sts, port, { labels, container }), { podManagementPolicy: 'Parallel' }),
        service(sts, labels, [{ port }], { clusterIP: 'None' }),
      );
      const client = await world.clientPod();
      await untilPod(world, `${sts}-0`, isRunning);
      const host = `${sts}-0.${sts}`;
      return {
        why: [`tcp://${host}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(host, port), works },
        symptom: /not known|resolution/,
        expected: {
          code: 'PodNotReady',
          kind: 'StatefulSet',
          name: sts,
          field: 'spec.template.spec.containers[0].readinessProbe',
        },
      };
    },
  },
  {
    code: 'PodNotReady',
    title: 'a readiness gate that nobody sets',
    async make(world) {
      const [server, svc, port] = [world.word(), world.word(), world.port()];
      const labels = { app: server };
      const gate = `example.com/${world.word()}`;
      await world.apply(
        linePod(server, port, { labels, spec: { readinessGates: [{ conditionType: gate }] } }),
        service(svc, labels, [{ port }]),
      );
      const client = await clientDeployment(world);
      await untilPod(world, server, isRunning);
      return {
        why: [`tcp://${svc}:${port}`, '--from', `deploy/${client}`],
        client: { on: `deploy/${client}`, command: readLine(svc, port), works },
        symptom: /refused/i,
        expected: { code: 'PodNotReady', kind: 'Pod', name: server, field: 'spec.readinessGates' },
      };
    },
  },
  {
    code: 'PodNotReady',
    title: 'PostgreSQL’s second pod by its own name, with a gate',
    async make(world) {
      const [sts, gate] = [world.word(), `example.com/${world.word()}`];
      const made = pod(sts, 'docker.io/library/postgres:15', {
        port: 5432,
        labels: { app: sts },
        env: { POSTGRES_USER: 'shop', POSTGRES_PASSWORD: 'shop' },
        spec: { readinessGates: [{ conditionType: gate }] },
      });
      await world.apply(
        workload('StatefulSet', sts, made, { replicas: 2, podManagementPolicy: 'Parallel' }),
        service(sts, { app: sts }, [{ port: 5432 }], { clusterIP: 'None' }),
      );
      const client = await world.clientPod();
      await untilPod(world, `${sts}-1`, isRunning);
      await until('PostgreSQL to listen', 60_000, async () => {
        const said = await world.cluster.exec(world.namespace, `${sts}-1`, ['pg_isready', '-q', '-h', '127.0.0.1']);
        return said.code === 0;
      });
      const host = `${sts}-1.${sts}.${world.namespace}.svc.cluster.local`;
      return {
        why: [`postgres://shop@${host}/shop`, '--from', `pod/${client}`],
        client: { on: client, command: psql(host) },
        symptom: /translate|not known|resolution/,
        expected: { code: 'PodNotReady', kind: 'StatefulSet', name: sts, field: 'spec.template.spec.readinessGates' },
      };
    },
  },
  {
    code: 'PodTerminating',
    title: 'a finalizer keeps a StatefulSet’s only pod',
    async make(world) {
      const [sts, svc, port] = [world.word(), world.word(), world.port()];
      const labels = { app: sts };
      await world.apply(workload('StatefulSet', sts, linePod(sts, port, { labels })), service(svc, labels, [{ port }]));
      await rolledOut(world, 'StatefulSet', sts);
      const name = `${sts}-0`;
      await world.kubectl([
        'patch',
        'pod',
        name,
        '--type=merge',
        '-p',
        '{"metadata":{"finalizers":["example.com/held"]}}',
      ]);
      await going(world, name);
      const client = await world.clientPod();
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        symptom: /refused/i,
        expected: { code: 'PodTerminating', kind: 'Pod', name, field: 'metadata.finalizers' },
      };
    },
  },
  {
    code: 'PodTerminating',
    title: 'a long grace, and the server has closed its port',
    async make(world) {
      const [sts, svc, port] = [world.word(), world.word(), world.port()];
      const labels = { app: sts };
      const script = `const s = require('net').createServer((c) => c.on('error', () => {}).end('hello\\n')).listen(${port}, '0.0.0.0'); process.on('SIGTERM', () => s.close()); setInterval(() => {}, 1e6)`;
      const made = linePod(sts, port, {
        labels,
        container: { command: ['node', '-e', script] },
        spec: { terminationGracePeriodSeconds: 600 },
      });
      await world.apply(workload('StatefulSet', sts, made), service(svc, labels, [{ port }], { type: 'NodePort' }));
      await rolledOut(world, 'StatefulSet', sts);
      await going(world, `${sts}-0`);
      const [{ address }] = await nodes(world);
      const nodePort = Number(await world.kubectl(['get', 'svc', svc, '-o', 'jsonpath={.spec.ports[0].nodePort}']));
      return {
        why: [`tcp://${address}:${nodePort}`],
        client: { on: 'laptop', command: readLine(address, nodePort), works },
        symptom: /refused/i,
        expected: { code: 'PodTerminating', kind: 'Pod', name: `${sts}-0`, field: 'metadata.deletionTimestamp' },
      };
    },
  },
  {
    code: 'PodTerminating',
    title: 'a bare PostgreSQL pod with a finalizer, by its Service',
    async make(world) {
      const [server, svc] = [world.word(), world.word()];
      await world.postgres(server, { labels: { app: server } });
      await world.apply(service(svc, { app: server }, [{ port: 5432 }]));
      await world.ready(server);
      await world.kubectl([
        'patch',
        'pod',
        server,
        '--type=merge',
        '-p',
        '{"metadata":{"finalizers":["example.com/held"]}}',
      ]);
      await going(world, server);
      const client = await clientDeployment(world);
      return {
        why: [`postgres://shop@${svc}/shop`, '--from', `deploy/${client}`],
        client: { on: `deploy/${client}`, command: psql(svc) },
        symptom: /refused/i,
        expected: { code: 'PodTerminating', kind: 'Pod', name: server, field: 'metadata.finalizers' },
        incurable: 'nobody makes a bare pod again',
        restore: async () => {
          await world.tryKubectl(['patch', 'pod', server, '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
        },
      };
    },
  },
  {
    code: 'ImagePullFailed',
    title: 'the image of an init container',
    async make(world) {
      const [server, svc, port] = [world.word(), world.word(), world.port()];
      const labels = { app: server };
      const initContainers = [
        { name: 'first', image: SERVER_IMAGE, command: ['true'] },
        { name: 'second', image: 'ghcr.io/acme/api:1.4.22', command: ['true'] },
      ];
      await world.apply(
        workload('Deployment', server, linePod(server, port, { labels, spec: { initContainers } })),
        service(svc, labels, [{ port }]),
      );
      const client = await world.clientPod();
      await untilPodOf(world, `app=${server}`, (p) =>
        /Pull|Image/.test(p.status?.initContainerStatuses?.[1]?.state?.waiting?.reason ?? ''),
      );
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        symptom: /refused/i,
        expected: {
          code: 'ImagePullFailed',
          kind: 'Deployment',
          name: server,
          field: 'spec.template.spec.initContainers[1].image',
        },
      };
    },
  },
  {
    code: 'CrashLoopBackOff',
    title: 'an init container whose command is not in its image',
    async make(world) {
      const [server, svc, port] = [world.word(), world.word(), world.port()];
      const labels = { app: server };
      const initContainers = [{ name: 'wait', image: 'docker.io/library/busybox:1.35', command: ['waitfor', '3'] }];
      await world.apply(
        workload('Deployment', server, linePod(server, port, { labels, spec: { initContainers } })),
        service(svc, labels, [{ port }]),
      );
      const client = await world.clientPod();
      await untilPodOf(world, `app=${server}`, (p) =>
        /CrashLoop/.test(p.status?.initContainerStatuses?.[0]?.state?.waiting?.reason ?? ''),
      );
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        symptom: /refused/i,
        expected: {
          code: 'CrashLoopBackOff',
          kind: 'Deployment',
          name: server,
          field: 'spec.template.spec.initContainers[0].command',
        },
      };
    },
  },
  {
    code: 'PodPending',
    title: 'an init container that waits for something',
    async make(world) {
      const [server, svc, port] = [world.word(), world.word(), world.port()];
      const labels = { app: server };
      const initContainers = [{ name: 'wait', image: 'docker.io/library/busybox:1.35', command: ['sleep', '9999'] }];
      await world.apply(
        workload('StatefulSet', server, linePod(server, port, { labels, spec: { initContainers } })),
        service(svc, labels, [{ port }]),
      );
      const client = await world.clientPod();
      await untilPodOf(
        world,
        `app=${server}`,
        (p) => p.status?.initContainerStatuses?.[0]?.state?.running !== undefined,
      );
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        symptom: /refused/i,
        expected: {
          code: 'PodPending',
          kind: 'StatefulSet',
          name: server,
          field: 'spec.template.spec.initContainers[0]',
        },
        cureSays: /logs .* -c wait/,
        incurable: 'what it waits for is its own',
      };
    },
  },
  {
    code: 'PodPending',
    title: 'a Secret that is not there, in a volume',
    async make(world) {
      const [server, svc, port, secret] = [world.word(), world.word(), world.port(), world.word()];
      const labels = { app: server };
      const spec = {
        volumes: [
          { name: 'empty', emptyDir: {} },
          { name: 'keys', secret: { secretName: secret } },
        ],
      };
      const container = { volumeMounts: [{ name: 'keys', mountPath: '/keys' }] };
      await world.apply(
        workload('Deployment', server, linePod(server, port, { labels, spec, container })),
        service(svc, labels, [{ port }]),
      );
      const client = await world.clientPod();
      await until('the kubelet’s word', 60_000, async () =>
        (await world.kubectl(['get', 'events', '--field-selector', 'reason=FailedMount'])).includes(secret),
      );
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        symptom: /refused/i,
        expected: { code: 'PodPending', kind: 'Deployment', name: server, field: 'spec.template.spec.volumes[1]' },
        cureSays: new RegExp(`create secret generic ${secret}`),
        incurable: 'what is in the Secret is its owner’s',
      };
    },
  },
];
