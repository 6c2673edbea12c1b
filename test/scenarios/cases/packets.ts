// Packets that are lost for what they are: too large for a link, or one connection too many. Each fault stands in the node's own namespace
// and goes with the scenario.
import type { Client, Scenario, Situation } from '../scenario.ts';
import { until } from '../../e2e/cluster.ts';
import { authority, clientWith, configMap, curl, nginx, postgres, rolledOut } from '../servers.ts';
import { clusterIP } from '../setups.ts';
import { psql, service, type World } from '../world.ts';
import { across, http } from './node.ts';

/** Bytes that the node's link takes: less than a short answer's first packet. */
const NARROW = 900;
const HTTPS = 'listen 443 ssl; ssl_certificate /tls/tls.crt; ssl_certificate_key /tls/tls.key;';

async function onNode(world: World, node: string, line: string): Promise<string> {
  const { code, stdout, stderr } = await world.cluster.nodeShell(node, line);
  if (code !== 0) throw new Error(`on ${node}, ${line}: ${stderr}`);
  return stdout.trim();
}

/**
 * The first node's link takes less than pods send, and nothing tells the sender: what arrives too large is dropped there. The second node
 * sends packets one by one, as a network card does on a wire.
 */
const narrow = (
  title: string,
  make: (
    world: World,
    nodes: { readonly one: string; readonly two: string },
  ) => Promise<Pick<Situation, 'why' | 'client'>>,
): Scenario => ({
  code: 'MTUTooSmall',
  title,
  alone: true,
  async make(world) {
    const [one, two] = (await world.cluster.nodeNames()) as [string, string];
    const asked = await make(world, { one, two });
    const wide = await onNode(world, one, 'cat /sys/class/net/eth0/mtu');
    await onNode(world, two, 'ip link set eth0 gso_max_segs 1');
    await onNode(world, one, `ip link set eth0 mtu ${NARROW}`);
    return {
      ...asked,
      symptom: /timed out|timeout|^\s*$/i,
      expected: { code: 'MTUTooSmall', kind: 'Node', name: one, field: 'link eth0 mtu' },
      restore: async () => {
        await onNode(world, one, `ip link set eth0 mtu ${wide}`);
        await onNode(world, two, 'ip link set eth0 gso_max_segs 65535');
      },
    };
  },
});

/**
 * Entries of connections that carried data both ways: the kernel gives up none of them for a new one. It goes on, since entries of the
 * node's own short connections expire, until its file is taken away; what it made goes then.
 */
const FILL = [
  'most=$(cat /proc/sys/net/netfilter/nf_conntrack_max)',
  '[ "$most" -le 1048576 ] || { echo "a table of $most entries is too large to fill" >&2; exit 1; }',
  'going=$(mktemp)',
  'list="$going.list"',
  'trap \'rm -f "$going" "$list"; conntrack -D -s 198.18.0.0/15 > /dev/null 2>&1\' EXIT',
  'entries() { awk -v from="$1" -v to="$2" \'BEGIN { for (i = from; i < to; i++) printf "-A -p tcp -s 198.18.%d.1 -d 198.18.%d.2 --sport %d --dport 80 --state ESTABLISHED --status ASSURED,SEEN_REPLY -t 600\\n", i / 60000, i / 60000, 1024 + i % 60000 }\' > "$list"; }',
  'next=0',
  // It ends with an error when no further entry fits, which is the point.
  'fill() { entries "$next" "$((next + $1))"; conntrack -R "$list" > /dev/null 2>&1 || true; next=$((next + $1)); }',
  'fill "$((most + 64))"',
  'echo "full $going"',
  'while [ -e "$going" ]; do fill 64; sleep 0.05; done',
].join('\n');

/** Fills the node's table until the returned is called. */
async function fill(world: World, node: string): Promise<() => Promise<void>> {
  const filler = world.cluster.start(['node', 'exec', node, '--', 'bash', '-c', FILL]);
  const going = await until(`the table of ${node} is full`, 40_000, () =>
    Promise.resolve(/^full (\S+)$/m.exec(filler.said())?.[1] ?? false),
  );
  return async () => {
    await onNode(world, node, `rm -f ${going}`);
    await filler.ended;
  };
}

const full = (
  title: string,
  which: 'one' | 'two',
  ask: (world: World, made: Awaited<ReturnType<typeof across>>) => Promise<{ why: readonly string[]; client: Client }>,
): Scenario => ({
  code: 'ConnectionTrackingFull',
  title,
  alone: true,
  async make(world) {
    const made = await across(world, 80);
    const asked = await ask(world, made);
    const node = made[which];
    const restore = await fill(world, node);
    return {
      ...asked,
      symptom: /timed out|timeout/i,
      expected: { code: 'ConnectionTrackingFull', kind: 'Node', name: node, field: 'net.netfilter.nf_conntrack_max' },
      incurable: 'the limit is the whole machine’s, which a scenario leaves alone',
      restore,
    };
  },
});

/** Names that make a certificate of one kilobyte. */
const MANY_NAMES = Array.from({ length: 24 }, (_, i) => `shop-${i}.customers.example.com`);

export const PACKET_SCENARIOS: readonly Scenario[] = [
  narrow('an answer with long headers', async (world, { one, two }) => {
    const [server, svc] = [world.word(), world.word()];
    await nginx(world, server, `listen 80; add_header x-policy '${'allow '.repeat(180)}';`, { node: two });
    await world.apply(service(svc, { app: server }, [{ port: 80 }]));
    const client = await world.clientPod({ node: one });
    await rolledOut(world, server);
    return { why: [`http://${svc}/`, '--from', `pod/${client}`], client: http(client, svc) };
  }),
  narrow('PostgreSQL’s certificate with many names', async (world, { one, two }) => {
    const [server, svc] = [world.word(), world.word()];
    const ca = await authority('ca');
    await postgres(world, server, { certificate: await ca.server([svc, ...MANY_NAMES]), node: two });
    await world.apply(service(svc, { app: server }, [{ port: 5432 }]));
    const client = await world.clientPod({ node: one });
    await rolledOut(world, server);
    return {
      why: [`postgres://shop:shop@${svc}:5432/shop?sslmode=require`, '--from', `pod/${client}`],
      client: { on: client, command: psql(svc, 5432, { PGSSLMODE: 'require', PGCONNECT_TIMEOUT: '4' }) },
    };
  }),
  narrow('a web server’s certificate with many names', async (world, { one, two }) => {
    const [server, svc] = [world.word(), world.word()];
    const ca = await authority('ca');
    await nginx(world, server, HTTPS, { node: two, certificate: await ca.server([svc, ...MANY_NAMES]) });
    await world.apply(service(svc, { app: server }, [{ port: 443 }]), configMap('trust', { 'ca.crt': ca.certificate }));
    const client = await clientWith(world, { files: { trust: '/trust' }, node: one });
    await rolledOut(world, server);
    return {
      why: [`https://${svc}/`, '--from', `pod/${client}`],
      client: { ...curl(client, `https://${svc}/`, '--cacert', '/trust/ca.crt'), works: /hello/ },
    };
  }),
  full('the server’s node, by a Service', 'two', async (_, { svc, client }) => ({
    why: [`http://${svc}/`, '--from', `pod/${client}`],
    client: http(client, svc),
  })),
  full('the server’s node, by a node port of the other', 'two', async (world, { svc, one }) => {
    await world.kubectl(['patch', 'service', svc, '-p', '{"spec":{"type":"NodePort"}}']);
    const port = Number(await world.kubectl(['get', 'service', svc, '-o', 'jsonpath={.spec.ports[0].nodePort}']));
    const ip = (await world.cluster.nodeAddresses()).get(one)!;
    return { why: [`http://${ip}:${port}/`], client: http('laptop', ip, port) };
  }),
  full('asked from the full node itself, by the cluster IP', 'one', async (world, { svc, one }) => {
    const ip = await clusterIP(world, svc);
    return {
      why: [`http://${ip}/`, '--from', `node/${one}`],
      client: { on: `node/${one}`, command: ['curl', '-sS', '-m', '4', `http://${ip}/`], works: /hello/ },
    };
  }),
];
