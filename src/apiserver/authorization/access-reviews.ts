// The questions clients may ask of the authorizer: SubjectAccessReview, its Local and Self forms, SelfSubjectRulesReview.
import type {
  LocalSubjectAccessReview,
  NonResourceAttributes,
  ResourceAttributes,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewStatus,
} from '#generated/api/authorization-v1.ts';
import type { UserInfo } from '#machinery/exchange.ts';
import { fieldError, StatusError, type FieldError } from '#machinery/status.ts';
import type { Authorizer, AuthorizerAttributes, RuleResolver } from '../pipeline.ts';

const GROUP = 'authorization.k8s.io';

/** POST subjectaccessreviews: may this user do that? */
export async function reviewSubjectAccess(
  review: SubjectAccessReview,
  authorizer: Authorizer,
): Promise<SubjectAccessReview> {
  refuseInvalid('SubjectAccessReview', [...attributeErrors(review.spec), ...subjectErrors(review.spec)]);
  return { ...review, status: await answer(review.spec, subjectOf(review.spec), authorizer) };
}

/** POST localsubjectaccessreviews, in one namespace. */
export async function reviewLocalSubjectAccess(
  review: LocalSubjectAccessReview,
  namespace: string,
  authorizer: Authorizer,
): Promise<LocalSubjectAccessReview> {
  const { spec } = review;
  const errors: FieldError[] = [...attributeErrors(spec), ...subjectErrors(spec)];
  if (spec.resourceAttributes !== undefined && (spec.resourceAttributes.namespace ?? '') !== namespace) {
    errors.push(
      fieldError.invalid(
        'spec.resourceAttributes.namespace',
        spec.resourceAttributes.namespace ?? '',
        'must match metadata.namespace',
      ),
    );
  }
  if (spec.nonResourceAttributes !== undefined) {
    errors.push(
      fieldError.invalid(
        'spec.nonResourceAttributes',
        spec.nonResourceAttributes,
        'disallowed on this kind of request',
      ),
    );
  }
  refuseInvalid('LocalSubjectAccessReview', errors);
  return { ...review, status: await answer(spec, subjectOf(spec), authorizer) };
}

/** POST selfsubjectaccessreviews: may I? (`kubectl auth can-i`) */
export async function reviewSelfSubjectAccess(
  review: SelfSubjectAccessReview,
  user: UserInfo,
  authorizer: Authorizer,
): Promise<SelfSubjectAccessReview> {
  refuseInvalid('SelfSubjectAccessReview', attributeErrors(review.spec));
  return { ...review, status: await answer(review.spec, user, authorizer) };
}

/** POST selfsubjectrulesreviews: what may I, in this namespace? (`kubectl auth can-i --list`) */
export function reviewSelfSubjectRules(
  review: SelfSubjectRulesReview,
  user: UserInfo,
  rules: RuleResolver,
): SelfSubjectRulesReview {
  const namespace = review.spec.namespace ?? '';
  if (namespace === '') throw StatusError.badRequest('no namespace on request');
  const { resourceRules, nonResourceRules, incomplete, evaluationError } = rules.rulesFor(user, namespace);
  return {
    ...review,
    status: {
      resourceRules,
      nonResourceRules,
      incomplete,
      ...(evaluationError === undefined ? {} : { evaluationError }),
    },
  };
}

interface Asked {
  readonly resourceAttributes?: ResourceAttributes;
  readonly nonResourceAttributes?: NonResourceAttributes;
}

async function answer(asked: Asked, user: UserInfo, authorizer: Authorizer): Promise<SubjectAccessReviewStatus> {
  const { decision, reason } = await authorizer.authorize(attributesOf(asked, user));
  return {
    allowed: decision === 'allow',
    ...(decision === 'deny' ? { denied: true } : {}),
    ...(reason === '' ? {} : { reason }),
  };
}

export function attributesOf(asked: Asked, user: UserInfo): AuthorizerAttributes {
  const { resourceAttributes: r, nonResourceAttributes: n } = asked;
  const fieldSelector = r?.fieldSelector?.rawSelector ?? requirementText(r?.fieldSelector?.requirements);
  const labelSelector = r?.labelSelector?.rawSelector ?? requirementText(r?.labelSelector?.requirements);
  return {
    user,
    verb: r?.verb ?? n?.verb ?? '',
    isResourceRequest: r !== undefined,
    namespace: r?.namespace ?? '',
    apiGroup: r?.group ?? '',
    apiVersion: r?.version ?? '',
    resource: r?.resource ?? '',
    subresource: r?.subresource ?? '',
    name: r?.name ?? '',
    path: n?.path ?? '',
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
  };
}

type Requirement = { readonly key: string; readonly operator: string; readonly values?: readonly string[] };

/** Requirements in the text form that requests carry; undefined when one has no such form (it then narrows nothing, which
 *  can only refuse more). */
function requirementText(requirements: readonly Requirement[] | undefined): string | undefined {
  if (requirements === undefined || requirements.length === 0) return undefined;
  const parts = requirements.map(({ key, operator, values = [] }) => {
    if (operator === 'In') return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${values.join(',')})`;
    if (operator === 'NotIn')
      return values.length === 1 ? `${key}!=${values[0]}` : `${key} notin (${values.join(',')})`;
    return operator === 'Exists' ? key : operator === 'DoesNotExist' ? `!${key}` : undefined;
  });
  return parts.includes(undefined) ? undefined : parts.join(',');
}

function subjectOf(spec: SubjectAccessReview['spec']): UserInfo {
  return {
    name: spec.user ?? '',
    groups: spec.groups ?? [],
    ...(spec.uid === undefined ? {} : { uid: spec.uid }),
    // Keys are lower case everywhere, as in headers.
    ...(spec.extra === undefined
      ? {}
      : { extra: Object.fromEntries(Object.entries(spec.extra).map(([k, v]) => [k.toLowerCase(), v])) }),
  };
}

function attributeErrors({ resourceAttributes, nonResourceAttributes }: Asked): FieldError[] {
  if (resourceAttributes !== undefined && nonResourceAttributes !== undefined) {
    return [
      fieldError.invalid(
        'spec.nonResourceAttributes',
        nonResourceAttributes,
        'cannot be specified in combination with resourceAttributes',
      ),
    ];
  }
  if (resourceAttributes === undefined && nonResourceAttributes === undefined) {
    return [
      fieldError.invalid(
        'spec.resourceAttributes',
        resourceAttributes,
        'exactly one of nonResourceAttributes or resourceAttributes must be specified',
      ),
    ];
  }
  return [];
}

function subjectErrors(spec: SubjectAccessReview['spec']): FieldError[] {
  if ((spec.user ?? '') === '' && (spec.groups ?? []).length === 0) {
    return [fieldError.invalid('spec.user', spec.user ?? '', 'at least one of user or group must be specified')];
  }
  return [];
}

function refuseInvalid(kind: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw StatusError.invalid({ group: GROUP, kind }, '', errors);
}
