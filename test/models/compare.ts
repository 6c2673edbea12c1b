// The question that the models are made for: does `coracle why` say what the second walker says?
import { SeededRandom } from '#base/random.ts';
import { explain } from '#why/explain.ts';
import { factsOf } from './facts.ts';
import { type Model, slicesFor } from './model.ts';
import { type Answer, walk } from './walker.ts';

export const answerTo = (model: Model): Answer => walk(model, new SeededRandom(model.seed).next());

/** What is asked with, best knowledge first. */
const KNOWLEDGE = [
  { probed: true, sighted: true },
  { probed: true, sighted: false },
  { probed: false, sighted: true },
  { probed: false, sighted: false },
] as const;

/** A sentence for the first thing that differs. */
export function differenceIn(model: Model): string | undefined {
  const answer = answerTo(model);
  if (answer.kind === 'open') return undefined;
  for (const knowledge of KNOWLEDGE) {
    const { verdict, cause, warnings } = explain(factsOf(model, answer, knowledge));
    const said = `${knowledge.probed ? 'with' : 'without'} a probe and ${knowledge.sighted ? 'with' : 'without'} sight of nodes it is said to be ${verdict}${cause === undefined ? '' : `: ${cause.code} at ${cause.link} (${cause.message})`}`;
    if (answer.kind === 'connects') {
      const right = knowledge.probed ? verdict === 'ok' : verdict === 'unknown';
      if (!right) return `it connects to ${answer.to}, and ${said}`;
      if (warnings.some((w) => w.code === 'PolicyNotEnforced'))
        return `every policy lets it connect to ${answer.to}, and one is said not to be enforced`;
      continue;
    }
    const truth = `it ends at ${answer.links.join(' or ')}`;
    if (verdict === 'ok') return `${truth}, and ${said}`;
    if (knowledge.probed && (verdict !== 'broken' || cause === undefined)) return `${truth}, and ${said}`;
    // The first broken link where everything can be seen and all pods have the same trouble; else one that is broken.
    const strict = knowledge.probed && knowledge.sighted && answer.links.length === 1 && !answer.sometimes;
    const fits: readonly string[] = strict ? answer.links : [...answer.links, ...answer.all];
    if (cause !== undefined && !fits.includes(cause.link)) return `${truth}, and ${said}`;
  }
  return undefined;
}

/** A smaller model in which the walk ends as in this one and there is a difference: without each thing that is not needed for it. */
export function shrink(model: Model): Model {
  const end = (m: Model) => JSON.stringify({ ...answerTo(m), all: [] });
  const wanted = end(model);
  for (const smaller of smallerThan(model))
    if (end(smaller) === wanted && differenceIn(smaller) !== undefined) return shrink(smaller);
  return model;
}

function* smallerThan(model: Model): Generator<Model> {
  const without = <T>(list: readonly T[], index: number) => list.filter((_, i) => i !== index);
  const again = (m: Model): Model => ({
    ...m,
    slices: m.services.flatMap((s) =>
      slicesFor(
        s,
        m.pods.map((p) => p.object),
      ),
    ),
  });
  for (const i of model.policies.keys()) yield { ...model, policies: without(model.policies, i) };
  for (const [i, policy] of model.policies.entries())
    for (const direction of ['ingress', 'egress'] as const)
      for (const k of (policy.spec?.[direction] ?? []).keys())
        yield {
          ...model,
          policies: model.policies.with(i, {
            ...policy,
            spec: { ...policy.spec!, [direction]: without(policy.spec![direction] as readonly unknown[], k) },
          }),
        };
  // The client is first and the name server last.
  for (let i = 1; i < model.pods.length - 1; i++) yield again({ ...model, pods: without(model.pods, i) });
  for (const [i, service] of model.services.entries())
    if (service.metadata.name !== 'kube-dns') yield again({ ...model, services: without(model.services, i) });
}

/** For a failing test: what was asked, of what. */
export function describeModel(model: Model): string {
  const line = (value: unknown) => JSON.stringify(value);
  return [
    `seed ${model.seed}: ${line(model.question)}, load balancers at ${line(model.announcers)}`,
    `walker: ${line(answerTo(model))}`,
    ...model.namespaces.map((n) => `namespace ${n.metadata.name} ${line(n.metadata.labels)}`),
    ...model.pods.map(
      ({ object: { metadata, spec, status }, listeners }) =>
        `pod ${metadata.namespace}/${metadata.name} ${line(metadata.labels)} on ${spec!.nodeName ?? '-'} ${status!.podIP ?? '-'} ${status!.phase}${metadata.deletionTimestamp === undefined ? '' : ' terminating'} ready ${status!.conditions?.find((c) => c.type === 'Ready')?.status} ports ${line(spec!.containers[0]!.ports)} probe ${line(spec!.containers[0]!.readinessProbe)} listens ${listeners.map((l) => `${l.address}:${l.port}${l.dual ? ' dual' : ''}`).join(', ') || 'nowhere'}`,
    ),
    ...model.services.map((s) => `service ${s.metadata.namespace}/${s.metadata.name} ${line(s.spec)}`),
    ...model.policies.map((p) => `policy ${p.metadata.namespace}/${p.metadata.name} ${line(p.spec)}`),
  ].join('\n');
}
