// pod and storage below it: is there a pod that could answer, and if not, what keeps it?
import type { Container, ContainerStatus, Pod } from '#generated/api/core-v1.ts';
import type { Facts } from '../facts.ts';
import { command, evidence, type Finding, finding, found, type LinkResult, note, ok } from '../finding.ts';
import { type Backend, type Located, localNode, takers } from '../locate.ts';
import { podFacts } from '../meaning.ts';
import { outcomeOf } from '../outcome.ts';
import {
  containerField,
  editDistance,
  ipsOf,
  isReady,
  isRunning,
  isTerminating,
  nameOf,
  namespaceOf,
  ownerField,
  ownerOf,
  patchCommand,
  patchPath,
  pathOf,
  podField,
  statusOf,
  targetPortIn,
} from '../pods.ts';
import { nearestPods, readiness } from './endpoint.ts';

/** The pods that are meant: behind the Service, or that its selector nearly fits. */
export function meantPods(facts: Facts, located: Located): readonly Pod[] {
  const behind = located.backends.flatMap((b) => (b.pod === undefined ? [] : [b.pod]));
  if (behind.length > 0 || located.service === undefined) return behind;
  return nearestPods(facts, located.service).slice(0, 1);
}

/** The same with the address and port at which a client would meet them. */
export function meantBackends(facts: Facts, located: Located): readonly Backend[] {
  if (located.backends.length > 0) return located.backends;
  return meantPods(facts, located).map((pod) => ({
    pod,
    ip: ipsOf(pod)[0],
    port: located.servicePort === undefined ? located.port : targetPortIn(pod, located.servicePort),
    node: pod.spec?.nodeName,
    endpoint: 'absent',
  }));
}

export function checkPod(facts: Facts, located: Located): LinkResult | undefined {
  const pods = meantPods(facts, located);
  if (pods.length === 0) return undefined;
  // A Service that publishes pods which are not ready sends to them as well, and to none whose port has another name.
  const taking = new Set(takers(located, localNode(facts, located)).flatMap((b) => b.pod ?? []));
  const isTaken = (p: Pod) => taking.size === 0 || taking.has(p);
  const ready = pods.filter((p) => isReady(p) && !isTerminating(p) && isTaken(p));
  const troubled = pods.filter(isTaken).flatMap((p) => trouble(facts, p, located));
  const aside = pods
    .filter((p) => !isTaken(p))
    .flatMap((p) => trouble(facts, p, located))
    .map((f) => ({ ...f, certainty: 'warning' as const }));
  const worst = troubled[0];
  const outcome = outcomeOf(facts.main);
  const mayBeMet = outcome.made && !outcome.connected && pods.some((p) => taking.has(p) && !isRunning(p));
  if (ready.length > 0) {
    const words = `${ready.length} of ${pods.length} ready: ${ready.map(pathOf).join(', ')}`;
    const met = troubled.map((f, i) => ({
      ...f,
      certainty: i === 0 && mayBeMet ? ('likely' as const) : ('warning' as const),
    }));
    const findings = [...met, ...aside];
    if (findings.length === 0) return ok('pod', words);
    return { link: 'pod', state: 'warned', detail: words, evidence: findings[0]!.evidence, findings };
  }
  if (worst !== undefined) return { ...found('pod', [worst, ...aside]), link: 'pod' };
  const pod = pods.find(isTaken);
  return {
    link: 'pod',
    state: isRunning(pod!) ? 'warned' : 'broken',
    detail: `pod ${pathOf(pod!)} is ${pod!.status?.phase ?? 'Unknown'}, not ready`,
    evidence: [],
    findings: aside,
  };
}

/** At most one finding a pod: the deepest. */
function trouble(facts: Facts, pod: Pod, located: Located): readonly Finding[] {
  if (isTerminating(pod)) return [terminating(facts, pod, located)];
  const all: readonly ContainerStatus[] = [
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.containerStatuses ?? []),
  ];
  const pull = all.find((s) =>
    /^(ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|ImageInspectError|RegistryUnavailable)$/.test(
      s.state?.waiting?.reason ?? '',
    ),
  );
  if (pull !== undefined) return [imagePull(facts, pod, pull)];
  const crash = all.find((s) => s.state?.waiting?.reason === 'CrashLoopBackOff' || crashed(s));
  if (crash !== undefined) return [crashLoop(facts, pod, crash)];
  const config = all.find((s) =>
    /^(CreateContainerConfigError|CreateContainerError|RunContainerError|StartError)$/.test(
      s.state?.waiting?.reason ?? '',
    ),
  );
  if (config !== undefined)
    return [
      pending(
        facts,
        pod,
        `container ${config.name}: ${config.state!.waiting!.reason} ${config.state!.waiting!.message ?? ''}`.trim(),
      ),
    ];
  const scheduled = pod.status?.conditions?.find((c) => c.type === 'PodScheduled');
  if (scheduled?.status === 'False')
    return [pending(facts, pod, scheduled.message ?? scheduled.reason ?? 'it has no node')];
  const unfinished = pod.status?.initContainerStatuses?.find((c) => c.state?.running !== undefined && c.ready !== true);
  if (pod.status?.phase === 'Pending' && unfinished !== undefined) return [initialising(pod, unfinished)];
  if (pod.status?.phase === 'Pending')
    return [pending(facts, pod, lastWarning(facts, pod) ?? 'its containers have not started')];
  if (isRunning(pod) && !isReady(pod)) return notReady(facts, pod, located);
  return [];
}

/** Ends again and again: between two tries it may be running, or just ended. */
function crashed(s: ContainerStatus): boolean {
  const failed = (s.lastState?.terminated?.exitCode ?? 0) !== 0;
  if (s.state?.terminated !== undefined && s.state.terminated.exitCode !== 0) return true;
  return failed && (s.restartCount ?? 0) >= 2 && s.ready !== true && s.state?.running === undefined;
}

export function lastWarning(facts: Facts, pod: Pod, reason?: RegExp): string | undefined {
  return facts.objects.events
    .filter(
      (e) =>
        e.involvedObject.uid === pod.metadata.uid &&
        e.type === 'Warning' &&
        (reason === undefined || reason.test(e.reason ?? '')),
    )
    .sort((a, b) => ((a.lastTimestamp ?? '') < (b.lastTimestamp ?? '') ? -1 : 1))
    .map((e) => `${e.reason}: ${e.message}`)
    .at(-1);
}

function terminating(facts: Facts, pod: Pod, located: Located): Finding {
  const { deletionTimestamp, finalizers } = pod.metadata;
  const held = finalizers ?? [];
  const owner = ownerOf(pod);
  const late = Date.parse(deletionTimestamp!) < facts.nowMs;
  return finding('PodTerminating', {
    object: podField(pod, held.length > 0 ? 'metadata.finalizers' : 'metadata.deletionTimestamp'),
    message: `pod ${pathOf(pod)} is being deleted${late ? ` (it should have ended at ${deletionTimestamp})` : ''}${held.length > 0 ? `, and is kept by ${held.join(', ')}` : ''}, and no other is ready in its place`,
    evidence: [evidence(`Pod ${pathOf(pod)} metadata.deletionTimestamp`, deletionTimestamp!)],
    cure:
      held.length > 0
        ? [
            command(
              `kubectl -n ${namespaceOf(pod)} patch pod ${nameOf(pod)} --type=merge -p '{"metadata":{"finalizers":null}}'`,
            ),
            note('what put the finalizer there should take it away: look there first'),
          ]
        : [
            command(`kubectl -n ${namespaceOf(pod)} delete pod ${nameOf(pod)} --grace-period=0 --force`),
            ...(owner.prefix === ''
              ? [note('nobody makes this pod again: apply its manifest once it is gone')]
              : [note(`without force: it ends by itself, then ${owner.kind} ${owner.name} makes the next`)]),
          ],
    // Until its server ends it takes connections, and Services send them to it while no other pod is ready.
    certainty: stillServes(facts, pod, located) ? 'likely' : 'sure',
  });
}

const stillServes = (facts: Facts, pod: Pod, located: Located): boolean =>
  isRunning(pod) &&
  (located.via === 'pod-ip' || takers(located, localNode(facts, located)).some((b) => b.pod === pod)) &&
  podFacts(facts, pod)?.listening.length !== 0;

function imagePull(facts: Facts, pod: Pod, status: ContainerStatus): Finding {
  const { path, container } = containerField(pod, status.name);
  const image = container?.image ?? status.image;
  const owner = ownerOf(pod);
  const near = nearImage(facts, pod, image);
  const said = status.state?.waiting?.message ?? lastWarning(facts, pod, /^Failed/) ?? '';
  const set = (to: string) =>
    owner.prefix === ''
      ? `kubectl -n ${owner.namespace} patch pod ${nameOf(pod)} --type=json -p '${JSON.stringify([{ op: 'replace', path: patchPath(owner, `${path}.image`), value: to }])}'`
      : `kubectl -n ${owner.namespace} set image ${owner.ref} ${status.name}=${to}`;
  return finding('ImagePullFailed', {
    object: ownerField(pod, `${path}.image`),
    message: `container ${status.name} of pod ${pathOf(pod)} cannot get its image ${image}${near === undefined ? '' : `; the nodes have ${near}`}`,
    evidence: [evidence(`Pod ${pathOf(pod)} status.containerStatuses`, `${status.state?.waiting?.reason}: ${said}`)],
    cure:
      near === undefined
        ? [note(`set an image that exists: ${set('IMAGE')}`)]
        : [command(set(near)), ...replaceStuck(pod, owner)],
  });
}

/** A StatefulSet does not go past a pod that never became ready: the pod must go for the new template to be used. */
function replaceStuck(pod: Pod, owner: ReturnType<typeof ownerOf>) {
  return owner.kind === 'StatefulSet' ? [command(`kubectl -n ${namespaceOf(pod)} delete pod ${nameOf(pod)}`)] : [];
}

/** An image that some node has, or some pod uses, and that differs little. */
function nearImage(facts: Facts, pod: Pod, image: string): string | undefined {
  const known = new Set([
    ...facts.objects.pods
      .filter((p) => p !== pod && isRunning(p))
      .flatMap((p) => p.spec?.containers.map((c) => c.image ?? '') ?? []),
    ...facts.objects.nodes.flatMap((n) => n.status?.images?.flatMap((i) => i.names ?? []) ?? []),
  ]);
  known.delete('');
  const bare = (name: string) => name.replace(/^docker\.io\/(library\/)?/, '').replace(/@.*$/, '');
  const repository = (name: string) => bare(name).split(':')[0]!;
  const candidates = [...known].filter((k) => !k.includes('@') && bare(k) !== bare(image));
  const rank = (k: string) =>
    (repository(k) === repository(image) ? 0 : editDistance(repository(k), repository(image))) * 10 +
    editDistance(bare(k), bare(image));
  const [best] = candidates
    .filter(
      (k) =>
        editDistance(repository(k), repository(image)) <= 2 ||
        repository(k).split('/').at(-1) === repository(image).split('/').at(-1),
    )
    .sort((a, b) => rank(a) - rank(b));
  return best;
}

function crashLoop(facts: Facts, pod: Pod, status: ContainerStatus): Finding {
  const ended = status.lastState?.terminated ?? status.state?.terminated;
  const log = facts.logs.filter(
    (l) => l.pod === nameOf(pod) && l.namespace === namespaceOf(pod) && l.container === status.name,
  );
  const lines = (log.find((l) => l.previous && l.lines.length > 0) ?? log.find((l) => l.lines.length > 0))?.lines ?? [];
  const words = tellingLine(lines);
  const { path, container } = containerField(pod, status.name);
  const why =
    ended?.reason === 'OOMKilled' ? 'was killed for want of memory' : `ends with code ${ended?.exitCode ?? '?'}`;
  return finding('CrashLoopBackOff', {
    object: ownerField(pod, crashField(path, container, ended?.reason, words)),
    message: `container ${status.name} of pod ${pathOf(pod)} ${why} again and again (${status.restartCount ?? 0} restarts)${words === undefined ? '' : `: ${words}`}`,
    evidence: [
      evidence(
        `Pod ${pathOf(pod)} status.containerStatuses`,
        `${status.state?.waiting?.reason ?? 'ended'}, exit code ${ended?.exitCode ?? '?'} ${ended?.reason ?? ''} ${ended?.message ?? ''}`.trim(),
      ),
      ...lines.slice(-5).map((l) => evidence(`log of ${pathOf(pod)} ${status.name}`, l)),
    ],
    cure: crashCure(pod, status, ended?.reason, words, ended?.message),
  });
}

function crashField(
  base: string,
  container: Container | undefined,
  reason: string | undefined,
  words: string | undefined,
): string {
  if (reason === 'OOMKilled') return `${base}.resources.limits.memory`;
  if (
    words !== undefined &&
    /POSTGRES_PASSWORD|MYSQL_ROOT_PASSWORD|superuser password|environment variable/i.test(words)
  )
    return `${base}.env`;
  if (container?.command !== undefined) return `${base}.command`;
  return container?.args === undefined ? base : `${base}.args`;
}

/** The line of a log that says why: the last that complains, else the last. */
export function tellingLine(lines: readonly string[]): string | undefined {
  const full = lines.map((l) => l.trim()).filter((l) => l !== '');
  return (
    full.findLast((l) =>
      /\b(FATAL|PANIC|ERROR|Error|error|fatal|panic|invalid|missing|not found|denied|cannot|refused|must)\b/.test(l),
    ) ?? full.at(-1)
  );
}

function crashCure(
  pod: Pod,
  status: ContainerStatus,
  reason: string | undefined,
  words: string | undefined,
  message: string | undefined,
) {
  const owner = ownerOf(pod);
  const { path, container } = containerField(pod, status.name);
  const look = note(`kubectl -n ${namespaceOf(pod)} logs ${nameOf(pod)} -c ${status.name} --previous`);
  if (owner.prefix === '') return [look, note('then make the pod again: most of its fields cannot be changed')];
  const missing = /(?:POSTGRES_PASSWORD|MYSQL_ROOT_PASSWORD)/.exec(`${words ?? ''}`)?.[0];
  if (missing !== undefined || /superuser password is not specified/.test(words ?? ''))
    return [
      command(
        `kubectl -n ${owner.namespace} set env ${owner.ref} -c ${status.name} ${missing ?? 'POSTGRES_PASSWORD'}="$(openssl rand -hex 16)"`,
      ),
      ...replaceStuck(pod, owner),
      look,
    ];
  if (reason === 'OOMKilled') {
    const limit = container?.resources?.limits?.['memory'];
    return [
      command(
        `kubectl -n ${owner.namespace} set resources ${owner.ref} -c ${status.name} --limits=memory=${doubled(String(limit ?? '256Mi'))}`,
      ),
      ...replaceStuck(pod, owner),
      look,
    ];
  }
  const notThere = /exec: "?([^":]+)"?: (?:executable file not found|stat .*no such file)/.exec(
    message ?? words ?? '',
  )?.[1];
  if (notThere !== undefined && container?.command !== undefined)
    return [
      command(patchCommand(owner, [{ op: 'remove', path: patchPath(owner, `${path}.command`) }])),
      ...replaceStuck(pod, owner),
      note(`${notThere} is not in the image; without command the image's own program starts`),
      look,
    ];
  return [look, note(`mend what it says, then: kubectl -n ${owner.namespace} rollout restart ${owner.ref}`)];
}

function doubled(quantity: string): string {
  const match = /^(\d+)([A-Za-z]*)$/.exec(quantity);
  return match === null ? '512Mi' : `${Number(match[1]) * 4}${match[2]}`;
}

/** An init container that goes on holds back all others. */
function initialising(pod: Pod, status: ContainerStatus): Finding {
  const { path } = containerField(pod, status.name);
  const since = status.state?.running?.startedAt ?? '';
  return finding('PodPending', {
    object: ownerField(pod, path),
    message: `pod ${pathOf(pod)} is Pending: its init container ${status.name} has not ended since ${since}, and the others wait for it`,
    evidence: [evidence(`Pod ${pathOf(pod)} status.initContainerStatuses`, `${status.name} running since ${since}`)],
    cure: [note(`what does it wait for? kubectl -n ${namespaceOf(pod)} logs ${nameOf(pod)} -c ${status.name}`)],
  });
}

function pending(facts: Facts, pod: Pod, why: string): Finding {
  const owner = ownerOf(pod);
  const { field, cure } = pendingCure(facts, pod, why);
  return finding('PodPending', {
    object: ownerField(pod, field),
    message: `pod ${pathOf(pod)} is Pending: ${why}`,
    evidence: [
      evidence(`Pod ${pathOf(pod)} status.conditions`, why),
      ...(lastWarning(facts, pod) === undefined
        ? []
        : [evidence(`events of pod ${pathOf(pod)}`, lastWarning(facts, pod)!)]),
    ],
    cure: [
      ...cure,
      ...(cure[0]?.kind === 'command' && owner.kind === 'StatefulSet'
        ? [command(`kubectl -n ${namespaceOf(pod)} delete pod ${nameOf(pod)}`)]
        : []),
    ],
  });
}

function pendingCure(facts: Facts, pod: Pod, why: string) {
  const owner = ownerOf(pod);
  const path = (rest: string) => `/${owner.prefix.replaceAll('.', '/')}spec/${rest}`;
  const remake = owner.prefix === '';
  const patch = (rest: string) =>
    remake
      ? note(`make the pod again without spec.${rest.replaceAll('/', '.')}`)
      : command(patchCommand(owner, [{ op: 'remove', path: path(rest) }]));
  const labels = facts.objects.nodes.map((n) => n.metadata.labels ?? {});
  const selector = Object.entries(pod.spec?.nodeSelector ?? {});
  if (selector.length > 0 && !labels.some((l) => selector.every(([k, v]) => l[k] === v)))
    return {
      field: 'spec.nodeSelector',
      cure: [
        patch('nodeSelector'),
        note(`or label a node: kubectl label node NODE ${selector.map(([k, v]) => `${k}=${v}`).join(' ')}`),
      ],
    };
  const short = /Insufficient (cpu|memory)/.exec(why)?.[1];
  if (short !== undefined) {
    const index = Math.max(
      0,
      (pod.spec?.containers ?? []).findIndex((c) => c.resources?.requests?.[short] !== undefined),
    );
    const name = pod.spec?.containers[index]?.name ?? '';
    const small = short === 'cpu' ? '100m' : '128Mi';
    return {
      field: `spec.containers[${index}].resources.requests.${short}`,
      cure: remake
        ? [note(`make the pod again with a smaller request of ${short}`)]
        : [command(`kubectl -n ${owner.namespace} set resources ${owner.ref} -c ${name} --requests=${short}=${small}`)],
    };
  }
  const taint = /untolerated taint\(?s?\)? \{([^:}]+)(?:: ?([^}]*))?\}/.exec(why);
  if (taint !== null)
    return {
      field: 'spec.tolerations',
      cure: remake
        ? [note(`make the pod again with a toleration of ${taint[1]}`)]
        : [
            command(
              patchCommand(
                owner,
                {
                  spec: {
                    template: {
                      spec: {
                        tolerations: [
                          ...(pod.spec?.tolerations ?? []).filter(
                            (t) => t.key?.startsWith('node.kubernetes.io/') !== true,
                          ),
                          { key: taint[1]!, operator: 'Exists' },
                        ],
                      },
                    },
                  },
                },
                'merge',
              ),
            ),
          ],
    };
  if (/unschedulable/.test(why)) {
    const cordoned = facts.objects.nodes.find((n) => n.spec?.unschedulable === true);
    return {
      field: 'spec.nodeName',
      cure: [cordoned === undefined ? note('kubectl uncordon NODE') : command(`kubectl uncordon ${nameOf(cordoned)}`)],
    };
  }
  if (/affinity/.test(why)) return { field: 'spec.affinity', cure: [patch('affinity')] };
  if (/host ports|free ports/.test(why))
    return {
      field: 'spec.containers[0].ports',
      cure: [note('another pod on the node has this hostPort: leave hostPort out, and connect through a Service')],
    };
  const missing = /(configmap|secret) "([^"]+)" not found/i.exec(why);
  if (missing !== null) {
    const kind = missing[1]!.toLowerCase();
    return {
      field: fieldOfReference(pod, kind === 'secret' ? 'secret' : 'configMap', missing[2]!),
      cure: [
        note(
          `create it: kubectl -n ${namespaceOf(pod)} create ${kind === 'secret' ? 'secret generic' : 'configmap'} ${missing[2]} --from-literal=KEY=VALUE`,
        ),
      ],
    };
  }
  return { field: 'status.conditions', cure: [note(`kubectl -n ${namespaceOf(pod)} describe pod ${nameOf(pod)}`)] };
}

/** Where the pod names a ConfigMap or Secret that is not there. */
function fieldOfReference(pod: Pod, kind: 'secret' | 'configMap', name: string): string {
  for (const part of ['initContainers', 'containers'] as const)
    for (const [index, c] of (pod.spec?.[part] ?? []).entries()) {
      const all = (c.envFrom ?? []).findIndex((e) => e[`${kind}Ref`]?.name === name);
      if (all >= 0) return `spec.${part}[${index}].envFrom[${all}]`;
      const one = (c.env ?? []).findIndex((e) => e.valueFrom?.[`${kind}KeyRef`]?.name === name);
      if (one >= 0) return `spec.${part}[${index}].env[${one}]`;
    }
  const volume = (pod.spec?.volumes ?? []).findIndex(
    (v) => (kind === 'secret' ? v.secret?.secretName : v.configMap?.name) === name,
  );
  return volume >= 0 ? `spec.volumes[${volume}]` : 'spec.containers[0]';
}

/** Running and not ready, where this one pod is meant. Behind a Service it is NoReadyEndpoints. */
function notReady(facts: Facts, pod: Pod, located: Located): readonly Finding[] {
  const single =
    located.service === undefined ||
    located.via === 'pod-ip' ||
    (located.meaning !== undefined && 'hostname' in located.meaning && located.meaning.hostname !== undefined);
  const gate = pod.spec?.readinessGates?.find(
    (g) => pod.status?.conditions?.find((c) => c.type === g.conditionType)?.status !== 'True',
  );
  const node = facts.objects.nodes.find((n) => nameOf(n) === pod.spec?.nodeName);
  const lost = node?.status?.conditions?.find((c) => c.type === 'Ready' && c.status !== 'True');
  const probed = (pod.spec?.containers ?? []).find(
    (c) => c.readinessProbe !== undefined && statusOf(pod, c.name)?.ready === false,
  );
  if (lost !== undefined)
    return [
      finding('PodNotReady', {
        object: { apiVersion: 'v1', kind: 'Node', name: nameOf(node!), field: 'status.conditions' },
        message: `pod ${pathOf(pod)} is on ${nameOf(node!)}, which is not ready: ${lost.message ?? lost.reason ?? ''}`,
        evidence: [evidence(`Node ${nameOf(node!)} status.conditions Ready`, `${lost.status} ${lost.reason ?? ''}`)],
        cure: [
          note(
            `bring ${nameOf(node!)} back (coracle node start ${nameOf(node!)}), or delete the pod so that it is made elsewhere`,
          ),
        ],
      }),
    ];
  if (gate !== undefined && probed === undefined)
    return [
      finding('PodNotReady', {
        object: ownerField(pod, 'spec.readinessGates'),
        message: `pod ${pathOf(pod)} waits for its readiness gate ${gate.conditionType}, which nobody has set`,
        evidence: [evidence(`Pod ${pathOf(pod)} spec.readinessGates`, gate.conditionType)],
        cure: [
          command(
            `kubectl -n ${namespaceOf(pod)} patch pod ${nameOf(pod)} --subresource=status --type=strategic -p '${JSON.stringify({ status: { conditions: [{ type: gate.conditionType, status: 'True' }] } })}'`,
          ),
        ],
      }),
    ];
  if (probed === undefined || !single || outcomeOf(facts.main).connected) return [];
  const same = readiness(facts, pod, undefined, []);
  return [
    finding('PodNotReady', {
      ...(same.object === undefined ? {} : { object: same.object }),
      message: same.message,
      evidence: same.evidence,
      cure: same.cure,
      port: same.port,
      certainty: located.meaning?.kind === 'empty' ? 'sure' : 'likely',
    }),
  ];
}
