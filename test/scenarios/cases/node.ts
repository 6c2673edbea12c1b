// Nodes that do not let packets through. Each fault stands in the node's own namespace and goes with the scenario.
import type { Client, Scenario } from '../scenario.ts';
import { curl, nginx, program, rolledOut } from '../servers.ts';
import { readLine, service, type World } from '../world.ts';

/** A client on the first node, a server on the second. */
export async function across(world: World, port: number, source?: string, spec: object = {}) {
  const [server, svc] = [world.word(), world.word()];
  const [one, two] = (await world.cluster.nodeNames()) as [string, string];
  if (source === undefined) await nginx(world, server, 'listen 80;', { node: two });
  else await program(world, server, port, source, { node: two });
  await world.apply(service(svc, { app: server }, [{ port }], spec));
  const client = await world.clientPod({ node: one });
  await rolledOut(world, server);
  return { server, svc, client, one, two };
}

/** Rules of somebody else; the returned takes them away. */
async function nft(world: World, node: string, table: string, lines: readonly string[]): Promise<() => Promise<void>> {
  const restore = async () => {
    await world.cluster.nodeShell(node, `nft delete table inet ${table}`);
  };
  for (const line of lines) {
    const { code, stderr } = await world.cluster.nodeShell(node, `nft '${line}'`);
    if (code === 0) continue;
    await restore();
    throw new Error(`nft ${line}: ${stderr}`);
  }
  return restore;
}

export const http = (on: string, host: string, port = 80): Client =>
  on === 'laptop'
    ? { on, command: ['curl', '-sS', '-m', '4', `http://${host}:${port}/`], works: /hello/ }
    : { ...curl(on, `http://${host}:${port}/`), works: /hello/ };

const vxlan = (title: string, fault: string, which: 'client' | 'server'): Scenario => ({
  code: 'TunnelBroken',
  title,
  alone: true,
  up: ['--nodes', '2', '--pod-network', 'vxlan'],
  async make(world) {
    const { svc, client, one, two } = await across(world, 80);
    const node = which === 'client' ? one : two;
    const device = `$(ip -o link show type vxlan | sed 's/^[0-9]*: \\([^:@]*\\).*/\\1/')`;
    await world.cluster.nodeShell(node, fault.replaceAll('DEVICE', device));
    return {
      why: [`http://${svc}/`, '--from', `pod/${client}`],
      client: http(client, svc),
      symptom: /timed out|timeout|unreachable|no route/i,
      expected: { code: 'TunnelBroken', kind: 'Node', name: node },
      restore: async () => {
        await world.cluster.nodeShell(node, `ip link set ${device} up`);
      },
    };
  },
});

export const NODE_SCENARIOS: readonly Scenario[] = [
  {
    code: 'HostFirewall',
    title: 'somebody’s table drops a node port before it is translated',
    alone: true,
    async make(world) {
      const { svc, one } = await across(world, 80, undefined, { type: 'NodePort' });
      const port = Number(await world.kubectl(['get', 'service', svc, '-o', 'jsonpath={.spec.ports[0].nodePort}']));
      const ip = (await world.cluster.nodeAddresses()).get(one)!;
      const restore = await nft(world, one, 'hardening', [
        'add table inet hardening',
        'add chain inet hardening input { type filter hook prerouting priority raw; }',
        `add rule inet hardening input tcp dport ${port} counter drop`,
      ]);
      return {
        why: [`http://${ip}:${port}/`],
        client: http('laptop', ip, port),
        symptom: /timed out/i,
        expected: { code: 'HostFirewall', kind: 'Node', name: one, field: /hardening/ },
        restore,
      };
    },
  },
  {
    code: 'HostFirewall',
    title: 'the server’s node forwards nothing to the port',
    alone: true,
    async make(world) {
      const { svc, client, two } = await across(world, 80);
      const restore = await nft(world, two, 'site', [
        'add table inet site',
        'add chain inet site passing { type filter hook forward priority -10; }',
        'add rule inet site passing tcp dport 80 counter drop',
      ]);
      return {
        why: [`http://${svc}/`, '--from', `pod/${client}`],
        client: http(client, svc),
        symptom: /timed out/i,
        expected: { code: 'HostFirewall', kind: 'Node', name: two, field: /site/ },
        restore,
      };
    },
  },
  {
    code: 'HostFirewall',
    title: 'the client’s node rejects what leaves for other nodes',
    alone: true,
    async make(world) {
      const { svc, client, one } = await across(world, 80);
      const restore = await nft(world, one, 'lockdown', [
        'add table inet lockdown',
        'add chain inet lockdown passing { type filter hook forward priority -10; }',
        'add rule inet lockdown passing tcp dport 80 ct state new counter reject with icmpx admin-prohibited',
      ]);
      return {
        why: [`http://${svc}/`, '--from', `pod/${client}`],
        client: http(client, svc),
        expected: { code: 'HostFirewall', kind: 'Node', name: one, field: /lockdown/ },
        restore,
      };
    },
  },
  {
    code: 'HostFirewall',
    title: 'a rule without a counter, a chain of policy accept',
    alone: true,
    async make(world) {
      const { svc, client, two } = await across(
        world,
        7300,
        `require('net').createServer((s) => s.on('error', () => {}).end('hello\\n')).listen(7300)`,
      );
      const restore = await nft(world, two, 'quiet', [
        'add table inet quiet',
        'add chain inet quiet passing { type filter hook forward priority -10; policy accept; }',
        'add rule inet quiet passing tcp dport 7300 drop',
      ]);
      return {
        why: [`tcp://${svc}:7300`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, 7300), works: /hello/ },
        expected: { code: 'HostFirewall', kind: 'Node', name: two, field: /quiet/ },
        restore,
      };
    },
  },
  vxlan('the client’s node’s device is down', 'ip link set DEVICE down', 'client'),
  vxlan('the server’s node’s device is down', 'ip link set DEVICE down', 'server'),
  vxlan(
    'the client’s node has forgotten behind which node the server is',
    'bridge fdb show dev DEVICE | while read -r mac rest; do bridge fdb del "$mac" dev DEVICE dst "$(echo "$rest" | sed "s/.*dst \\([^ ]*\\).*/\\1/")" self; done',
    'client',
  ),
  ...[
    { title: 'a policy that lets nobody in, where nobody enforces it', spec: {} },
    {
      title: 'a policy for pods of one label, where nobody enforces it',
      spec: { ingress: [{ from: [{ podSelector: { matchLabels: { role: 'api' } } }] }] },
    },
    { title: 'a policy that lets nothing out, where nobody enforces it', spec: { policyTypes: ['Egress'] } },
  ].map(
    ({ title, spec }): Scenario => ({
      code: 'PolicyNotEnforced',
      title,
      up: ['--nodes', '2', '--disable', 'policy'],
      async make(world) {
        const { svc, client } = await across(world, 80);
        await world.apply({
          apiVersion: 'networking.k8s.io/v1',
          kind: 'NetworkPolicy',
          metadata: { name: 'closed' },
          spec: { podSelector: {}, policyTypes: ['Ingress'], ...spec },
        });
        return {
          why: [`http://${svc}/`, '--from', `pod/${client}`],
          client: http(client, svc),
          warning: { code: 'PolicyNotEnforced', kind: 'NetworkPolicy', name: 'closed' },
        };
      },
    }),
  ),
];
