// approval of a CertificateSigningRequest, and its status: who may approve and who may sign are two, so each writes only the
// conditions that are its own. Upstream: pkg/registry/certificates/certificates/strategy.go.
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '#generated/api/certificates-v1.ts';
import type { KubeObject } from '#machinery/object.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import { update, type WriteRules } from '../verbs/create.ts';
import { patch } from '../verbs/patch.ts';
import { get } from '../verbs/read.ts';
import type { Subresource } from './subresource.ts';

type Condition = CertificateSigningRequestCondition;

const VERDICTS: ReadonlySet<string> = new Set(['Approved', 'Denied']);
/** These say what was decided: they are there, or they are not. */
const ALWAYS_TRUE: ReadonlySet<string> = new Set([...VERDICTS, 'Failed']);

const RESOURCE = 'certificates.k8s.io/certificatesigningrequests';

export const approval: Subresource = subresource('approval', (nowText) => ({
  // Everything but the conditions stays.
  prepare: (object, old) => withConditions({ ...old, metadata: object.metadata }, conditionsOf(object), old, nowText),
  validate: (object, old) => [...validateConditions(object), ...validateChange(object, old, new Set(['Failed']))],
}));

export const signingStatus: Subresource = subresource('status', (nowText) => ({
  prepare: (object, old) => {
    const { spec } = old as CertificateSigningRequest;
    const kept = conditionsOf(old).filter((c) => VERDICTS.has(c.type));
    const own = conditionsOf(object).filter((c) => !VERDICTS.has(c.type));
    return withConditions({ ...object, spec } as KubeObject, [...kept, ...own], old, nowText);
  },
  validate: (object, old) => [...validateConditions(object), ...validateChange(object, old, new Set())],
}));

function subresource(name: string, rules: (nowText: string) => WriteRules): Subresource {
  return {
    name,
    resource: RESOURCE,
    verbs: ['get', 'update', 'patch'],
    serve(served, context, deps) {
      switch (context.info.verb) {
        case 'update':
          return update(served, context, name, deps, rules(context.nowText));
        case 'patch':
          return patch(served, context, name, deps, rules(context.nowText));
        default:
          return get(served, context);
      }
    },
  };
}

const conditionsOf = (object: KubeObject): readonly Condition[] =>
  (object as CertificateSigningRequest).status?.conditions ?? [];

/** A condition without times gets them: the update's is now, the transition's is kept while its status stays. */
function withConditions(
  object: KubeObject,
  conditions: readonly Condition[],
  old: KubeObject,
  nowText: string,
): KubeObject {
  const before = new Map(conditionsOf(old).map((c) => [c.type, c]));
  const dated = conditions.map((c) => {
    const same = before.get(c.type)?.status === c.status ? before.get(c.type)?.lastTransitionTime : undefined;
    return {
      ...c,
      lastUpdateTime: c.lastUpdateTime ?? nowText,
      lastTransitionTime: c.lastTransitionTime ?? same ?? nowText,
    };
  });
  const { status } = object as CertificateSigningRequest;
  if (dated.length === 0 && status?.conditions === undefined) return object;
  return { ...object, status: { ...status, conditions: dated } } as KubeObject;
}

function validateConditions(object: KubeObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  conditionsOf(object).forEach((c, i) => {
    const at = `status.conditions[${i}]`;
    if (c.type === '') errors.push(fieldError.required(`${at}.type`));
    const allowed = ALWAYS_TRUE.has(c.type) ? ['True'] : ['False', 'True', 'Unknown'];
    if ((c.status ?? '') === '') errors.push(fieldError.required(`${at}.status`));
    else if (!allowed.includes(c.status)) errors.push(fieldError.notSupported(`${at}.status`, c.status, allowed));
    if (VERDICTS.has(c.type) && [...VERDICTS].some((v) => v !== c.type && seen.has(v)))
      errors.push(fieldError.invalid(`${at}.type`, c.type, 'Approved and Denied conditions are mutually exclusive'));
    if (seen.has(c.type)) errors.push(fieldError.duplicate(`${at}.type`, c.type));
    seen.add(c.type);
  });
  return errors;
}

/** What was decided stays decided, and `foreign` conditions are not this subresource's to add. */
function validateChange(object: KubeObject, old: KubeObject, foreign: ReadonlySet<string>): readonly FieldError[] {
  const types = (o: KubeObject) => new Set(conditionsOf(o).map((c) => c.type));
  const [now, before] = [types(object), types(old)];
  const forbid = (what: string, type: string) =>
    fieldError.forbidden('status.conditions', `updates may not ${what} a condition of type "${type}"`);
  return [...ALWAYS_TRUE].flatMap((type) => {
    if (before.has(type) && !now.has(type)) return [forbid('remove', type)];
    return foreign.has(type) && now.has(type) && !before.has(type) ? [forbid('add', type)] : [];
  });
}
