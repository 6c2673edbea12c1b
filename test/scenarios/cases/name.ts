// A name that does not lead where it should.
import type { Scenario } from '../scenario.ts';
import {
  addressOf,
  clientDeployment,
  linePod,
  lineService,
  policy,
  readLineFromEnv,
  rolledOut,
  workload,
} from '../setups.ts';
import { readLine, service, type World } from '../world.ts';

const works = /hello/;
const unresolved = /not known|resolution/;

/** A letter less: no word of the list becomes another one. */
const misspelt = (name: string): string => name.slice(0, 2) + name.slice(3);

/** The host stands in the environment of the client's Deployment. */
async function fromEnvironment(world: World, host: string, port: number) {
  const name = await clientDeployment(world, { env: { HOST: host, PORT: String(port) } });
  return { name, client: { on: `deploy/${name}`, command: readLineFromEnv(), works } };
}

export const NAME_SCENARIOS: readonly Scenario[] = [
  {
    code: 'NameNotFound',
    title: 'a letter left out, typed in a pod',
    async make(world) {
      const { svc, port } = await lineService(world);
      const client = await world.clientPod();
      const wrong = misspelt(svc);
      return {
        why: [`tcp://${wrong}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(wrong, port), works },
        symptom: unresolved,
        expected: { code: 'NameNotFound', kind: 'Service', name: svc },
        cureSays: new RegExp(`use .*${svc}`),
      };
    },
  },
  {
    code: 'NameNotFound',
    title: 'a letter left out, in a Deployment’s environment',
    async make(world) {
      const { svc, port } = await lineService(world);
      const { name, client } = await fromEnvironment(world, misspelt(svc), port);
      return {
        why: [`tcp://${misspelt(svc)}:${port}`, '--from', `deploy/${name}`],
        client,
        symptom: unresolved,
        expected: { code: 'NameNotFound', kind: 'Service', name: svc },
      };
    },
  },
  {
    code: 'NameNotFound',
    title: 'the namespace misspelt',
    async make(world) {
      const { svc, port } = await lineService(world);
      const client = await world.clientPod();
      const wrong = `${svc}.${world.namespace.slice(0, -1)}`;
      const right = `${svc}.${world.namespace}`;
      return {
        why: [`tcp://${wrong}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(wrong, port), works },
        symptom: unresolved,
        expected: { code: 'NameNotFound', kind: 'Service', name: svc },
        cureSays: new RegExp(right.replaceAll('.', '\\.')),
        afterCure: { on: client, command: readLine(right, port), works },
      };
    },
  },
  {
    code: 'NameNotFound',
    title: 'the cluster’s domain misspelt',
    async make(world) {
      const { svc, port } = await lineService(world);
      const client = await world.clientPod();
      const wrong = `${svc}.${world.namespace}.svc.${world.pick(['cluster.lokal', 'cluster.locl', 'cluser.local'])}`;
      const right = `${svc}.${world.namespace}`;
      return {
        why: [`tcp://${wrong}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(wrong, port), works },
        symptom: unresolved,
        expected: { code: 'NameNotFound', kind: 'Service', name: svc },
        cureSays: new RegExp(right.replaceAll('.', '\\.')),
        afterCure: { on: client, command: readLine(right, port), works },
      };
    },
  },
  {
    code: 'NameNotFound',
    title: 'a pod of a StatefulSet that is not there',
    async make(world) {
      const [sts, port] = [world.ownWord(), world.port()];
      await world.apply(
        workload('StatefulSet', sts, linePod(sts, port, { labels: { app: sts } })),
        service(sts, { app: sts }, [{ port }], { clusterIP: 'None' }),
      );
      await rolledOut(world, 'StatefulSet', sts);
      const client = await world.clientPod();
      const wrong = `${sts}-${world.pick([1, 2, 7])}.${sts}`;
      return {
        why: [`tcp://${wrong}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(wrong, port), works },
        symptom: unresolved,
        expected: { code: 'NameNotFound', kind: 'Service', name: sts },
        cureSays: new RegExp(`use ${sts}-0\\.${sts}`),
        afterCure: { on: client, command: readLine(`${sts}-0.${sts}`, port), works },
      };
    },
  },
  {
    code: 'NameInOtherNamespace',
    title: 'a short name, typed in a pod',
    async make(world) {
      const namespace = await world.otherNamespace();
      const { svc, port } = await lineService(world, { namespace });
      const client = await world.clientPod();
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        symptom: unresolved,
        expected: { code: 'NameInOtherNamespace', kind: 'Service', name: svc },
        cureSays: new RegExp(`use .*${svc}\\.${namespace}`),
      };
    },
  },
  {
    code: 'NameInOtherNamespace',
    title: 'a short name in a Deployment’s environment',
    async make(world) {
      const namespace = await world.otherNamespace();
      const { svc, port } = await lineService(world, { namespace });
      const { name, client } = await fromEnvironment(world, svc, port);
      return {
        why: [`tcp://${svc}:${port}`, '--from', `deploy/${name}`],
        client,
        symptom: unresolved,
        expected: { code: 'NameInOtherNamespace', kind: 'Service', name: svc },
      };
    },
  },
  {
    code: 'NameInOtherNamespace',
    title: 'the whole name with the client’s namespace',
    async make(world) {
      const namespace = await world.otherNamespace();
      const { svc, port } = await lineService(world, { namespace });
      const client = await world.clientPod();
      const wrong = `${svc}.${world.namespace}.svc.cluster.local`;
      return {
        why: [`tcp://${wrong}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(wrong, port), works },
        symptom: unresolved,
        expected: { code: 'NameInOtherNamespace', kind: 'Service', name: svc },
        cureSays: new RegExp(`use .*${svc}\\.${namespace}`),
        afterCure: { on: client, command: readLine(`${svc}.${namespace}`, port), works },
      };
    },
  },
  {
    code: 'NamePointsElsewhere',
    title: 'hostAliases of an address that nobody has',
    async make(world) {
      const { svc, port } = await lineService(world);
      const spec = { hostAliases: [{ ip: '192.0.2.17', hostnames: [world.word(), svc] }] };
      const name = await clientDeployment(world, { spec });
      return {
        why: [`tcp://${svc}:${port}`, '--from', `deploy/${name}`],
        client: { on: `deploy/${name}`, command: readLine(svc, port), works },
        expected: {
          code: 'NamePointsElsewhere',
          kind: 'Deployment',
          name,
          field: 'spec.template.spec.hostAliases[0]',
        },
      };
    },
  },
  {
    code: 'NamePointsElsewhere',
    title: 'hostAliases of another pod, the second entry of a StatefulSet’s',
    async make(world) {
      const { svc, port } = await lineService(world);
      const other = await lineService(world);
      const ip = await addressOf(world, other.server);
      const hostAliases = [
        { ip: '192.0.2.18', hostnames: [world.word()] },
        { ip, hostnames: [`${svc}.${world.namespace}`, svc] },
      ];
      const name = await clientDeployment(world, { kind: 'StatefulSet', spec: { hostAliases } });
      return {
        why: [`tcp://${svc}:${port}`, '--from', `sts/${name}`],
        client: { on: `sts/${name}`, command: readLine(svc, port), works },
        symptom: /refused/i,
        expected: {
          code: 'NamePointsElsewhere',
          kind: 'StatefulSet',
          name,
          field: 'spec.template.spec.hostAliases[1]',
        },
      };
    },
  },
  {
    code: 'NamePointsElsewhere',
    title: 'an ExternalName of a Service that is misspelt',
    async make(world) {
      const { svc, port } = await lineService(world);
      const alias = world.ownWord();
      const externalName = `${misspelt(svc)}.${world.namespace}.svc.cluster.local`;
      await world.apply({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: alias },
        spec: { type: 'ExternalName', externalName },
      });
      const client = await world.clientPod();
      return {
        why: [`tcp://${alias}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(alias, port), works },
        symptom: unresolved,
        expected: { code: 'NamePointsElsewhere', kind: 'Service', name: alias, field: 'spec.externalName' },
      };
    },
  },
  {
    code: 'NamePointsElsewhere',
    title: 'an ExternalName of the right Service in the wrong namespace',
    async make(world) {
      const namespace = await world.otherNamespace();
      const { svc, port } = await lineService(world, { namespace });
      const alias = world.ownWord();
      const externalName = `${svc}.${world.namespace}.svc.cluster.local`;
      await world.apply({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: alias },
        spec: { type: 'ExternalName', externalName, ports: [{ port }] },
      });
      const name = await clientDeployment(world);
      return {
        why: [`tcp://${alias}.${world.namespace}:${port}`, '--from', `deploy/${name}`],
        client: { on: `deploy/${name}`, command: readLine(`${alias}.${world.namespace}`, port), works },
        symptom: unresolved,
        expected: { code: 'NamePointsElsewhere', kind: 'Service', name: alias, field: 'spec.externalName' },
      };
    },
  },
  {
    code: 'DNSUnreachable',
    title: 'a nameserver that nobody is, in a Deployment',
    async make(world) {
      const { svc, port } = await lineService(world);
      const dnsConfig = { nameservers: ['10.244.250.250'], searches: [`${world.namespace}.svc.cluster.local`] };
      const name = await clientDeployment(world, { spec: { dnsPolicy: 'None', dnsConfig } });
      return {
        why: [`tcp://${svc}:${port}`, '--from', `deploy/${name}`],
        client: { on: `deploy/${name}`, command: readLine(svc, port), works },
        expected: {
          code: 'DNSUnreachable',
          kind: 'Deployment',
          name,
          field: 'spec.template.spec.dnsConfig.nameservers',
        },
      };
    },
  },
  {
    code: 'DNSUnreachable',
    title: 'the nameserver is a pod that serves something else',
    async make(world) {
      const { server, svc, port } = await lineService(world);
      const ip = await addressOf(world, server);
      const dnsConfig = { nameservers: [ip], options: [{ name: 'timeout', value: '1' }] };
      const name = await clientDeployment(world, { kind: 'StatefulSet', spec: { dnsPolicy: 'None', dnsConfig } });
      const host = `${svc}.${world.namespace}.svc.cluster.local`;
      return {
        why: [`tcp://${host}:${port}`, '--from', `sts/${name}`],
        client: { on: `sts/${name}`, command: readLine(host, port), works },
        expected: {
          code: 'DNSUnreachable',
          kind: 'StatefulSet',
          name,
          field: 'spec.template.spec.dnsConfig.nameservers',
        },
      };
    },
  },
  {
    code: 'DNSUnreachable',
    title: 'the nameserver is a Service without endpoints',
    async make(world) {
      const { svc, port } = await lineService(world);
      const dns = world.word();
      await world.apply(service(dns, { app: dns }, [{ name: 'dns', port: 53, protocol: 'UDP' }]));
      const at = (await world.kubectl(['get', 'service', dns, '-o', 'jsonpath={.spec.clusterIP}'])).trim();
      const dnsConfig = { nameservers: [at], searches: [`${world.namespace}.svc.cluster.local`] };
      const name = await clientDeployment(world, { spec: { dnsPolicy: 'None', dnsConfig } });
      return {
        why: [`tcp://${svc}:${port}`, '--from', `deploy/${name}`],
        client: { on: `deploy/${name}`, command: readLine(svc, port), works },
        expected: {
          code: 'DNSUnreachable',
          kind: 'Deployment',
          name,
          field: 'spec.template.spec.dnsConfig.nameservers',
        },
      };
    },
  },
  ...(
    [
      [
        'egress to the server’s pods only',
        (labels: object) => ({ policyTypes: ['Egress'], egress: [{ to: [{ podSelector: { matchLabels: labels } }] }] }),
      ],
      [
        'egress to all on the server’s port only',
        (_l: object, port: number) => ({ policyTypes: ['Egress', 'Ingress'], egress: [{ ports: [{ port }] }] }),
      ],
      [
        'DNS allowed over TCP only',
        (labels: object) => ({
          policyTypes: ['Egress'],
          egress: [
            { to: [{ podSelector: { matchLabels: labels } }] },
            { to: [{ namespaceSelector: {} }], ports: [{ protocol: 'TCP', port: 53 }] },
          ],
        }),
      ],
      [
        'DNS allowed to pods with another label',
        (labels: object) => ({
          policyTypes: ['Egress'],
          egress: [
            { to: [{ podSelector: { matchLabels: labels } }] },
            {
              to: [{ namespaceSelector: {}, podSelector: { matchLabels: { app: 'dns' } } }],
              ports: [{ protocol: 'UDP', port: 53 }],
            },
          ],
        }),
      ],
    ] as const
  ).map(
    ([title, spec]): Scenario => ({
      code: 'DNSDeniedByPolicy',
      title,
      async make(world) {
        const { server, svc, port } = await lineService(world);
        const [client, name] = [await world.clientPod({ labels: { role: 'client' } }), world.word()];
        await world.apply(
          policy(name, { podSelector: { matchLabels: { role: 'client' } }, ...spec({ app: server }, port) }),
        );
        return {
          why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
          client: { on: client, command: readLine(svc, port), works },
          expected: { code: 'DNSDeniedByPolicy', kind: 'NetworkPolicy', name, field: /^spec\.egress/ },
        };
      },
    }),
  ),
  {
    code: 'DNSDeniedByPolicy',
    title: 'default-deny egress stands behind it as well',
    async make(world) {
      const { svc, port } = await lineService(world);
      const [client, name] = [await world.clientPod(), world.word()];
      await world.apply(policy(name, { policyTypes: ['Egress'] }));
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works },
        expected: { code: 'DNSDeniedByPolicy', kind: 'NetworkPolicy', name, field: /^spec\.egress/ },
        also: { code: 'EgressDenied', kind: 'NetworkPolicy', name, field: /^spec\.egress/ },
      };
    },
  },
];
