// Kinds that are asked, not stored: POST answers with the review filled in.
import type { SelfSubjectReview, TokenReview } from '#generated/api/authentication-v1.ts';
import type {
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
} from '#generated/api/authorization-v1.ts';
import type { ExchangeResponse } from '#machinery/exchange.ts';
import type { KubeObject } from '#machinery/object.ts';
import { StatusError } from '#machinery/status.ts';
import { reviewSelf, reviewToken } from './authentication/reviews.ts';
import type { TokenAuthenticator } from './authentication/token-authenticator.ts';
import {
  reviewLocalSubjectAccess,
  reviewSelfSubjectAccess,
  reviewSelfSubjectRules,
  reviewSubjectAccess,
} from './authorization/access-reviews.ts';
import type { Codec } from './codec.ts';
import { rfc3339, type RequestContext } from './context.ts';
import { negotiate } from './negotiation.ts';
import type { Authorizer, RuleResolver } from './pipeline.ts';
import { jsonValue } from './responses.ts';
import type { Served } from './served.ts';
import { writeOptions } from './verbs/options.ts';

export interface ReviewDeps {
  readonly authorizer: Authorizer;
  /** Undefined: the review is not served. */
  readonly rules?: RuleResolver;
  readonly tokens?: TokenAuthenticator;
  readonly audiences: readonly string[];
}

type Answer = (review: KubeObject, context: RequestContext, deps: ReviewDeps) => unknown;

/** group/resource → how it is answered. */
const answers: Readonly<Record<string, Answer>> = {
  'authorization.k8s.io/subjectaccessreviews': (review, _context, { authorizer }) =>
    reviewSubjectAccess(review as unknown as SubjectAccessReview, authorizer),
  'authorization.k8s.io/localsubjectaccessreviews': (review, { info }, { authorizer }) =>
    reviewLocalSubjectAccess(review as unknown as LocalSubjectAccessReview, info.namespace, authorizer),
  'authorization.k8s.io/selfsubjectaccessreviews': (review, { user }, { authorizer }) =>
    reviewSelfSubjectAccess(review as unknown as SelfSubjectAccessReview, user, authorizer),
  'authorization.k8s.io/selfsubjectrulesreviews': (review, { user }, { rules }) =>
    rules === undefined ? undefined : reviewSelfSubjectRules(review as unknown as SelfSubjectRulesReview, user, rules),
  'authentication.k8s.io/tokenreviews': (review, _context, { tokens, audiences }) =>
    tokens === undefined ? undefined : reviewToken(review as unknown as TokenReview, tokens, audiences),
  'authentication.k8s.io/selfsubjectreviews': (review, { user, nowMs }) => {
    const answer = reviewSelf(review as unknown as SelfSubjectReview, user);
    return { ...answer, metadata: { creationTimestamp: rfc3339(nowMs), ...answer.metadata } };
  },
};

export const isReview = (served: Served): boolean =>
  Object.hasOwn(answers, `${served.definition.group}/${served.definition.resource}`);

/** Undefined when this server cannot answer such a review. */
export async function review(
  served: Served,
  context: RequestContext,
  codec: Codec,
  deps: ReviewDeps,
): Promise<ExchangeResponse | undefined> {
  const accepted = negotiate(context.request.headers.accept);
  if (accepted.as === 'Table')
    throw new StatusError(
      406,
      'NotAcceptable',
      `the resource ${served.definition.resource}.${served.definition.group} does not support being converted to a Table`,
    );
  const options = writeOptions(context, 'CreateOptions');
  const decoded = codec.decode(served, context, options.fieldValidation);
  const object = codec.manage(served, decoded, undefined, options.fieldManager, '', context.nowText);
  const answer = (await answers[`${served.definition.group}/${served.definition.resource}`]!(object, context, deps)) as
    | KubeObject
    | undefined;
  if (answer === undefined) return undefined;
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = answer;
  return jsonValue(201, { kind: served.definition.kind, apiVersion: served.apiVersion, ...rest }, accepted);
}
