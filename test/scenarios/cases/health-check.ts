// A load balancer of somebody else's before the cluster: it asks each node's health check port whether to send clients there. It lives in a
// network namespace of its own; what keeps its question from the nodes is its own group of rules.
import { spawn } from 'node:child_process';
import { until } from '../../e2e/cluster.ts';
import type { Client, Scenario } from '../scenario.ts';
import { nginx, postgres, program, rolledOut } from '../servers.ts';
import { psql, readLine, service, type World } from '../world.ts';

const CLASS = 'example.com/edge';
/** Of the range for documentation: it is on the balancer's own link only. */
const [MACHINE, EDGE] = ['198.51.100.1', '198.51.100.2'];

/**
 * Forwards one port to a node that answers its health check (or, of a Service without one, takes connections on the node port): looked at
 * twice a second. Its group of rules lets no health check out.
 */
const BALANCER = `
set -eu
ip netns add "$ns"
trap 'ip netns del "$ns"' EXIT
ip link add "$ns" type veth peer name edge0 netns "$ns"
ip addr add ${MACHINE}/30 dev "$ns"
ip link set "$ns" up
inside() { ip netns exec "$ns" "$@"; }
inside ip addr add ${EDGE}/30 dev edge0
inside ip link set edge0 up
inside ip route add default via ${MACHINE}
inside sysctl -qw net.ipv4.ip_forward=1
inside nft -f - <<'END'
add table ip edge
add chain ip edge in { type nat hook prerouting priority -100; }
add chain ip edge out { type nat hook postrouting priority 100; }
add rule ip edge out masquerade
add chain ip edge pass { type filter hook forward priority 0; }
add chain ip edge group { type filter hook output priority 0; }
END
kubectl patch service "$svc" --subresource=status --type=merge -p '{"status":{"loadBalancer":{"ingress":[{"ip":"${EDGE}"}]}}}'
while sleep 0.5; do
  read -r port nodeport check <<< "$(kubectl get service "$svc" -o 'jsonpath={.spec.ports[0].port} {.spec.ports[0].nodePort} {.spec.healthCheckNodePort}')"
  chosen=
  for node in $nodes; do
    if [ -n "$check" ]; then
      printf 'flush chain ip edge group\\nadd rule ip edge group tcp dport %s drop\\n' "$check" | inside nft -f -
      inside curl -sf -o /dev/null -m 1 "http://$node:$check/healthz" && chosen=$node || true
    else
      inside timeout 1 bash -c "< /dev/tcp/$node/$nodeport" 2> /dev/null && chosen=$node || true
    fi
  done
  if [ -n "$chosen" ]; then rules="flush chain ip edge pass
add rule ip edge in tcp dport $port dnat to $chosen:$nodeport"; else rules='add rule ip edge in drop'; fi
  printf 'flush chain ip edge in\\n%s\\n' "$rules" | inside nft -f -
done`;

/** The balancer before Service `svc`, with its address in the Service's status; the returned ends it. */
async function balancer(world: World, svc: string): Promise<() => Promise<void>> {
  const nodes = [...(await world.cluster.nodeAddresses()).values()].join(' ');
  const env = { ...process.env, KUBECONFIG: world.cluster.kubeconfig, ns: `edge${process.pid}`, svc, nodes };
  const child = spawn('bash', ['-c', `kubectl() { command kubectl -n ${world.namespace} "$@"; }\n${BALANCER}`], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<void>((resolve) => void child.on('exit', () => resolve()));
  await until('the balancer’s address in the status', 20_000, async () => {
    if (child.exitCode !== null) throw new Error(`the balancer ended: ${said}`);
    return (
      (await world.kubectl(['get', 'service', svc, '-o', 'jsonpath={.status.loadBalancer.ingress[0].ip}'])) === EDGE &&
      true
    );
  });
  return async () => {
    child.kill('SIGTERM');
    await ended;
  };
}

const blocked = (
  title: string,
  port: number,
  serve: (world: World, server: string) => Promise<void>,
  ask: (world: World, svc: string) => { readonly why: string; readonly client: Client },
): Scenario => ({
  code: 'HealthCheckBlocked',
  title,
  alone: true,
  async make(world) {
    const [server, svc] = [world.word(), world.word()];
    await serve(world, server);
    const spec = { type: 'LoadBalancer', loadBalancerClass: CLASS, externalTrafficPolicy: 'Local' };
    await world.apply(service(svc, { app: server }, [{ port }], spec));
    await rolledOut(world, server);
    const restore = await balancer(world, svc);
    const { why, client } = ask(world, svc);
    return {
      why: [why],
      client,
      symptom: /timed out|timeout|^\s*$/i,
      expected: { code: 'HealthCheckBlocked', kind: 'Service', name: svc, field: 'spec.healthCheckNodePort' },
      restore,
    };
  },
});

export const HEALTH_CHECK_SCENARIOS: readonly Scenario[] = [
  blocked(
    'a web server, by its address',
    80,
    (world, server) => nginx(world, server, 'listen 80;'),
    () => ({
      why: `http://${EDGE}/`,
      client: { on: 'laptop', command: ['curl', '-sS', '-m', '4', `http://${EDGE}/`], works: /hello/ },
    }),
  ),
  blocked(
    'PostgreSQL, by its address',
    5432,
    (world, server) => postgres(world, server),
    () => ({
      why: `postgres://shop:shop@${EDGE}:5432/shop`,
      client: { on: 'laptop', command: psql(EDGE, 5432, { PGCONNECT_TIMEOUT: '4' }) },
    }),
  ),
  blocked(
    'a program, by its Service',
    7400,
    (world, server) =>
      program(
        world,
        server,
        7400,
        `require('net').createServer((s) => s.on('error', () => {}).end('hello\\n')).listen(7400)`,
      ),
    (_, svc) => ({
      why: `svc/${svc}`,
      client: { on: 'laptop', command: readLine(EDGE, 7400), works: /hello/ },
    }),
  ),
];
