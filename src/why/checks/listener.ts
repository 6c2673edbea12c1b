// listener: does a program in the pod listen where the packets arrive?
import type { Container, Pod } from '#generated/api/core-v1.ts';
import { type Facts, couldNot } from '../facts.ts';
import { command, evidence, type Finding, finding, found, type LinkResult, note, ok, unknown } from '../finding.ts';
import { type Located, localNode, takers } from '../locate.ts';
import { podFacts } from '../meaning.ts';
import type { ListeningSocket } from '../node/facts.ts';
import { describeRun, outcomeOf } from '../outcome.ts';
import {
  containerPorts,
  isRunning,
  nameOf,
  namespaceOf,
  ownerField,
  ownerOf,
  patchCommand,
  pathOf,
  podField,
  targetPortIn,
} from '../pods.ts';
import type { Cure, Evidence } from '../report.ts';
import { isLoopback } from './endpoint.ts';
import { meantPods } from './pod.ts';
import { pooler } from './session.ts';

export function checkListener(facts: Facts, located: Located): LinkResult | undefined {
  if (facts.upstream?.report.verdict === 'broken')
    return found('listener', [pooler(facts, located, 'no answer from behind', [], undefined)]);
  const taking = new Set(takers(located, localNode(facts, located)).flatMap((b) => b.pod ?? []));
  const pods = meantPods(facts, located).filter((p) => isRunning(p) && (taking.size === 0 || taking.has(p)));
  if (pods.length === 0) return noPod(facts, located);
  const outcome = outcomeOf(facts.main);
  const looked = pods.map((pod) => ({
    pod,
    port: portIn(located, pod),
    result: undefined as Finding | 'ok' | undefined,
  }));
  for (const l of looked) l.result = l.port === undefined ? undefined : examine(facts, located, l.pod, l.port);
  const bad = looked.flatMap((l) => (l.result !== undefined && l.result !== 'ok' ? [l.result] : []));
  const good = looked.filter((l) => l.result === 'ok');
  if (outcome.connected && bad.length === 0)
    return ok('listener', `${pods.map(pathOf).join(', ')} answered`, describe(facts));
  if (bad.length > 0 && (good.length > 0 || outcome.connected))
    return {
      link: 'listener',
      state: 'warned',
      detail: bad[0]!.message,
      evidence: bad[0]!.evidence,
      findings: bad.map((f) => ({ ...f, certainty: 'warning' as const })),
    };
  if (bad.length > 0) return found('listener', [bad[0]!]);
  if (good.length > 0) return ok('listener', `${pathOf(good[0]!.pod)} listens on ${good[0]!.port}`);
  return unknown('listener', 'the pod’s sockets cannot be seen from here');
}

function describe(facts: Facts): readonly Evidence[] {
  return facts.main === undefined ? [] : describeRun(facts.main).filter((e) => / connected/.test(e.text));
}

/** A laptop or a node: nobody on its own port. */
function noPod(facts: Facts, located: Located): LinkResult | undefined {
  const outcome = outcomeOf(facts.main);
  if (outcome.connected) return ok('listener', 'something answered', describe(facts));
  if (located.via !== 'outside' && located.via !== 'node' && located.via !== 'localhost') return undefined;
  if (outcome.connect !== 'refused') return undefined;
  return found('listener', [
    finding('NothingListening', {
      message: `nothing listens on ${located.host}:${located.port}: the connection is refused`,
      evidence: facts.main === undefined ? [] : describeRun(facts.main),
      cure: [note('start the server, or connect to the port that it uses')],
      certainty: 'likely',
    }),
  ]);
}

/** The port that packets have when they arrive in the pod. */
function portIn(located: Located, pod: Pod): number | undefined {
  const backend = located.backends.find((b) => b.pod === pod);
  if (backend?.port !== undefined) return backend.port;
  if (located.servicePort !== undefined) return targetPortIn(pod, located.servicePort);
  return located.via === 'pod-ip' || located.via === 'headless' || located.via === 'localhost'
    ? located.port
    : undefined;
}

function examine(facts: Facts, located: Located, pod: Pod, port: number): Finding | 'ok' | undefined {
  const known = podFacts(facts, pod);
  const family = located.addresses[0]?.includes(':') === true ? 6 : 4;
  if (known === undefined) return byProbes(facts, located, pod, port);
  const sockets = known.listening.filter((s) => s.protocol === located.transport);
  const here = sockets.filter((s) => s.port === port);
  const local = located.via === 'localhost';
  const fits = here.filter(
    (s) => (local || !isLoopback(s.address)) && (s.family === family || s.dual || (local && s.family === 6)),
  );
  if (fits.length > 0) return 'ok';
  return bySockets(located, pod, port, sockets, family);
}

const words = (sockets: readonly ListeningSocket[]): string =>
  sockets
    .map(
      (s) =>
        `${s.address.includes(':') ? `[${s.address}]` : s.address}:${s.port}${s.program === undefined ? '' : ` ${s.program}`}`,
    )
    .join(', ') || 'none';

function bySockets(
  located: Located,
  pod: Pod,
  port: number,
  sockets: readonly ListeningSocket[],
  family: 4 | 6,
): Finding {
  const read = [evidence(`sockets of pod ${pathOf(pod)}`, words(sockets))];
  const here = sockets.filter((s) => s.port === port);
  const loopback = here.find((s) => isLoopback(s.address));
  if (loopback !== undefined && located.via !== 'localhost') return onLoopback(pod, port, read, loopback);
  if (here.length > 0) {
    const other = here[0]!;
    const field = programField(pod);
    return finding('ListenerOtherFamily', {
      object: ownerField(pod, field),
      message: `pod ${pathOf(pod)} listens on port ${port} over IPv${other.family} only (${other.address}), and the connection comes over IPv${family}`,
      evidence: read,
      cure: [...bindCures(pod, other.program), note(`or connect by the pod’s IPv${other.family} address`)],
      port,
    });
  }
  const open = sockets.filter((s) => !isLoopback(s.address));
  const elsewhere = open.filter((s) => s.program === undefined || !/^(sshd|systemd)/.test(s.program));
  if (elsewhere.length > 0 && located.via !== 'localhost') return onOtherPort(located, pod, port, elsewhere, read);
  // A server that chose loopback and another port: both keep clients away; the address does so on every port.
  const [hidden] = sockets;
  if (hidden !== undefined && located.via !== 'localhost' && isLoopback(hidden.address))
    return onLoopback(pod, hidden.port, read, hidden);
  return nothing(pod, port, read, located);
}

function nothing(pod: Pod, port: number, read: readonly Evidence[], located: Located): Finding {
  return finding('NothingListening', {
    object: located.via === 'localhost' ? podField(pod) : ownerField(pod, 'spec.containers'),
    message: `no program in pod ${pathOf(pod)} listens on ${located.transport.toUpperCase()} port ${port}`,
    evidence: read,
    cure: [
      ...(located.via === 'localhost'
        ? [note('localhost is the pod itself: a server in another pod is reached by the name of its Service')]
        : []),
      ...nothingCure(pod, port),
    ],
    port,
  });
}

function nothingCure(pod: Pod, port: number): Cure[] {
  const owner = ownerOf(pod);
  const container =
    pod.spec?.containers.find((c) => c.ports?.some((p) => p.containerPort === port)) ?? pod.spec?.containers[0];
  const index = pod.spec?.containers.indexOf(container!) ?? 0;
  const look = note(`is the server started? kubectl -n ${namespaceOf(pod)} logs ${nameOf(pod)} -c ${container?.name}`);
  const sleeps = /^(sleep|tail|cat|pause|sh|bash)$/.test((container?.command?.[0] ?? '').split('/').at(-1)!);
  if (!sleeps || owner.prefix === '') return [look];
  const base = `/${owner.prefix.replaceAll('.', '/')}spec/containers/${index}`;
  const ops = [
    { op: 'remove', path: `${base}/command` },
    ...(container?.args === undefined ? [] : [{ op: 'remove', path: `${base}/args` }]),
  ];
  return [
    command(patchCommand(owner, ops)),
    note(`spec overrides the image’s own program with ${container!.command!.join(' ')}`),
    look,
  ];
}

function onOtherPort(
  located: Located,
  pod: Pod,
  port: number,
  open: readonly ListeningSocket[],
  read: readonly Evidence[],
): Finding {
  const [other] = [...open].sort((a, b) => Math.abs(a.port - port) - Math.abs(b.port - port));
  const owner = ownerOf(pod);
  const { service, servicePort } = located;
  const declared = containerPorts(pod).find((p) => p.port === port);
  const field = setting(pod, port) ?? programField(pod);
  const cures: Cure[] = [];
  const moved = settingCure(pod, other!.port, port);
  if (moved !== undefined) cures.push(moved);
  if (service !== undefined && servicePort !== undefined && located.via !== 'headless') {
    const index = service.spec?.ports?.indexOf(servicePort) ?? 0;
    const moveService = patchCommand({ namespace: namespaceOf(service), ref: `service/${nameOf(service)}` }, [
      { op: 'add', path: `/spec/ports/${index}/targetPort`, value: other!.port },
    ]);
    // One of the two: both together would miss each other again.
    cures.push(
      moved === undefined ? command(moveService) : note(`or let the Service lead to the server’s port: ${moveService}`),
    );
  } else cures.push(note(`connect to port ${other!.port}`));
  return finding('ListenerOtherPort', {
    object: ownerField(pod, field),
    message: `pod ${pathOf(pod)} listens on ${[...new Set(open.map((s) => s.port))].join(', ')}, not on ${port}${declared === undefined ? '' : ', which its container declares'}`,
    evidence: [
      ...read,
      evidence(
        `${owner.kind} ${owner.namespace}/${owner.name} containerPort`,
        containerPorts(pod)
          .map((p) => p.port)
          .join(', ') || 'none',
      ),
    ],
    cure: cures,
    port,
  });
}

/** The argument or variable that gives the server its port. */
function setting(pod: Pod, port: number): string | undefined {
  for (const [index, c] of (pod.spec?.containers ?? []).entries()) {
    const variable = (c.env ?? []).findIndex((e) => /^(PG|MYSQL_TCP_|REDIS_|HTTP_|SERVER_|LISTEN_)?PORT$/.test(e.name));
    if (variable >= 0 && c.env![variable]!.value !== String(port))
      return `spec.containers[${index}].env[${variable}].value`;
    for (const part of ['args', 'command'] as const)
      if (c[part]?.some((a) => /(^|[-=\s])(port|p)\b|^-p/.test(a)) === true) return `spec.containers[${index}].${part}`;
  }
  return undefined;
}

/** Where the wrong port stands as a word of its own in command, args or env: the same with the right one. */
function settingCure(pod: Pod, from: number, to: number): Cure | undefined {
  const owner = ownerOf(pod);
  if (owner.prefix === '') return undefined;
  const ops = (pod.spec?.containers ?? []).flatMap((container, index) => {
    const base = `/${owner.prefix.replaceAll('.', '/')}spec/containers/${index}`;
    const settings = [
      ...movedWords(container.command, `${base}/command`, from, to),
      ...movedWords(container.args, `${base}/args`, from, to),
      ...(container.env ?? []).flatMap((variable, at) =>
        variable.value === String(from) ? [replace(`${base}/env/${at}/value`, String(to))] : [],
      ),
    ];
    // Probes that go to the old port would call the moved server dead.
    return settings.length === 0 ? [] : [...settings, ...movedProbes(container, base, from, to)];
  });
  return ops.length === 0 ? undefined : command(patchCommand(owner, ops));
}

function movedProbes(container: Container, base: string, from: number, to: number): object[] {
  return (['startupProbe', 'readinessProbe', 'livenessProbe'] as const).flatMap((name) => [
    ...(['tcpSocket', 'httpGet', 'grpc'] as const).flatMap((way) =>
      container[name]?.[way]?.port === from ? [replace(`${base}/${name}/${way}/port`, to)] : [],
    ),
    ...movedWords(container[name]?.exec?.command, `${base}/${name}/exec/command`, from, to),
  ]);
}

function movedWords(words: readonly string[] | undefined, path: string, from: number, to: number): object[] {
  const port = new RegExp(`(^|[^0-9])${from}(?![0-9])`, 'g');
  return (words ?? []).flatMap((text, at) => {
    const moved = text.replaceAll(port, `$1${to}`);
    return moved === text ? [] : [replace(`${path}/${at}`, moved)];
  });
}

const replace = (path: string, value: unknown): object => ({ op: 'replace', path, value });

function onLoopback(
  pod: Pod,
  port: number,
  read: readonly Evidence[],
  socket: { readonly program?: string } | undefined,
): Finding {
  const cures = bindCures(pod, socket?.program);
  return finding('ListenerOnLoopback', {
    object: ownerField(pod, bindField(pod) ?? programField(pod)),
    message: `the server in pod ${pathOf(pod)} listens on 127.0.0.1:${port} only: nothing that comes over the network reaches it`,
    evidence: read,
    cure: cures,
    port,
  });
}

const LOOPBACK = /(^|[=@\s'"])(127\.0\.0\.1|localhost|::1)(?=$|[:\s'",])/;

/** The argument or variable that says loopback. */
function bindField(pod: Pod): string | undefined {
  for (const [index, c] of (pod.spec?.containers ?? []).entries()) {
    for (const part of ['args', 'command'] as const)
      if (c[part]?.some((a) => LOOPBACK.test(a)) === true) return `spec.containers[${index}].${part}`;
    const variable = (c.env ?? []).findIndex(
      (e) => LOOPBACK.test(e.value ?? '') && /LISTEN|BIND|HOST|ADDR/i.test(e.name),
    );
    if (variable >= 0) return `spec.containers[${index}].env[${variable}].value`;
  }
  return undefined;
}

/** Where the program of the first container is set. */
function programField(pod: Pod): string {
  const c = pod.spec?.containers[0];
  return c?.args !== undefined
    ? 'spec.containers[0].args'
    : c?.command !== undefined
      ? 'spec.containers[0].command'
      : 'spec.containers[0]';
}

/** All addresses instead of loopback: where the words stand, else by the server's own option. */
function bindCures(pod: Pod, program: string | undefined): Cure[] {
  const owner = ownerOf(pod);
  const ops: object[] = [];
  for (const [index, c] of (pod.spec?.containers ?? []).entries()) {
    const base = `/${owner.prefix.replaceAll('.', '/')}spec/containers/${index}`;
    const star = (text: string) =>
      text
        .replaceAll(
          new RegExp(LOOPBACK, 'g'),
          (_m, before: string) => `${before}${/listen_addresses/.test(text) ? '*' : '0.0.0.0'}`,
        )
        .replace(/^::1$/, '::');
    for (const part of ['command', 'args'] as const)
      for (const [at, text] of (c[part] ?? []).entries())
        if (LOOPBACK.test(text)) ops.push({ op: 'replace', path: `${base}/${part}/${at}`, value: star(text) });
    for (const [at, variable] of (c.env ?? []).entries())
      if (LOOPBACK.test(variable.value ?? '') && /LISTEN|BIND|HOST|ADDR/i.test(variable.name))
        ops.push({ op: 'replace', path: `${base}/env/${at}/value`, value: star(variable.value!) });
  }
  const server = serverOf(pod, program);
  if (ops.length > 0)
    return owner.prefix === ''
      ? [note(`make the pod again with 0.0.0.0 (listen_addresses: *) instead of 127.0.0.1`)]
      : [command(patchCommand(owner, ops))];
  const added = server === undefined ? undefined : addArguments(pod, server.args);
  return [
    ...(added === undefined ? [] : [added]),
    note(server?.words ?? 'let the server listen on 0.0.0.0 (all addresses) instead of 127.0.0.1'),
  ];
}

function serverOf(
  pod: Pod,
  program: string | undefined,
): { readonly args: readonly string[]; readonly words: string } | undefined {
  const image = (pod.spec?.containers ?? []).map((c) => c.image ?? '').join(' ');
  const is = (pattern: RegExp) => (program !== undefined && pattern.test(program)) || pattern.test(image);
  if (is(/postgres/))
    return {
      args: ['-c', 'listen_addresses=*'],
      words: "listen_addresses = '*' in postgresql.conf, or -c listen_addresses=* as an argument",
    };
  if (is(/redis|valkey/))
    return { args: ['--bind', '0.0.0.0', '--protected-mode', 'no'], words: 'bind 0.0.0.0 in redis.conf' };
  if (is(/mysql|mariadb/)) return { args: ['--bind-address=0.0.0.0'], words: 'bind-address = 0.0.0.0 in my.cnf' };
  if (is(/mongo/)) return { args: ['--bind_ip_all'], words: 'net.bindIp: 0.0.0.0 in mongod.conf' };
  if (is(/pgbouncer/)) return { args: [], words: 'listen_addr = * in pgbouncer.ini' };
  return undefined;
}

/** Only where the image's own entry point takes options: with a command of one's own the words would go elsewhere. */
function addArguments(pod: Pod, args: readonly string[]): Cure | undefined {
  const owner = ownerOf(pod);
  const c = pod.spec?.containers[0];
  if (owner.prefix === '' || c === undefined || c.command !== undefined || args.length === 0) return undefined;
  const path = `/${owner.prefix.replaceAll('.', '/')}spec/containers/0/args`;
  return command(
    patchCommand(owner, [
      { op: c.args === undefined ? 'add' : 'replace', path, value: [...(c.args ?? ['postgres']), ...args] },
    ]),
  );
}

/** Without sockets: what the probes met at the pod's own address, and at its loopback. */
function byProbes(facts: Facts, located: Located, pod: Pod, port: number): Finding | 'ok' | undefined {
  const runs = [...facts.direct, ...facts.inside].filter((r) => !couldNot(r.result) && r.request.port === port);
  const own = (pod.status?.podIPs ?? []).map((p) => p.ip);
  const atOwn = runs.filter((r) => own.includes(r.request.host));
  if (atOwn.some((r) => outcomeOf(r).connected)) return 'ok';
  const refused = atOwn.filter((r) => outcomeOf(r).connect === 'refused');
  const main = outcomeOf(facts.main);
  const straight =
    (located.via === 'pod-ip' || located.via === 'headless' || located.via === 'localhost') &&
    main.connect === 'refused';
  if (refused.length === 0 && !straight) return undefined;
  const read = refused.flatMap((r) => describeRun(r));
  const inner = runs.find(
    (r) => /^(127\.|localhost$|::1$)/.test(r.request.host) && r.from.at === 'pod' && r.from.pod === nameOf(pod),
  );
  if (inner !== undefined && outcomeOf(inner).connected && located.via !== 'localhost')
    return onLoopback(pod, port, [...read, ...describeRun(inner)], undefined);
  return {
    ...nothing(pod, port, read.length > 0 ? read : facts.main === undefined ? [] : describeRun(facts.main), located),
    certainty: 'likely',
  };
}
