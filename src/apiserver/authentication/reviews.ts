// TokenReview and SelfSubjectReview: what authentication tells about itself.
import type { SelfSubjectReview, TokenReview, UserInfo as ApiUserInfo } from '#generated/api/authentication-v1.ts';
import type { UserInfo } from '#machinery/exchange.ts';
import { describeError } from '#base/log.ts';
import { StatusError } from '#machinery/status.ts';
import type { TokenAuthenticator } from './token-authenticator.ts';
import { withAuthenticatedGroup } from './users.ts';

/** POST tokenreviews. A token that is not good is an answer, not an error. */
export async function reviewToken(
  review: TokenReview,
  tokens: TokenAuthenticator,
  apiAudiences: readonly string[],
): Promise<TokenReview> {
  const { token, audiences: asked } = review.spec;
  if (token === undefined || token === '')
    throw StatusError.badRequest('token is required for TokenReview in authentication');
  const audiences = asked === undefined || asked.length === 0 ? apiAudiences : asked;
  let status: TokenReview['status'];
  try {
    const result = await tokens.authenticateToken(token, audiences);
    status =
      result === undefined
        ? { user: {} }
        : { authenticated: true, user: apiUserInfo(withAuthenticatedGroup(result.user)), audiences: result.audiences };
  } catch (error) {
    if (!(error instanceof StatusError) || error.code !== 401) throw error;
    status = { user: {}, error: describeError(error.cause ?? error) };
  }
  return { ...review, status };
}

/** POST selfsubjectreviews: whoami. */
export function reviewSelf(review: SelfSubjectReview, user: UserInfo): SelfSubjectReview {
  return { ...review, status: { userInfo: apiUserInfo(user) } };
}

export function apiUserInfo(user: UserInfo): ApiUserInfo {
  return {
    username: user.name,
    ...(user.uid === undefined || user.uid === '' ? {} : { uid: user.uid }),
    ...(user.groups.length === 0 ? {} : { groups: user.groups }),
    ...(user.extra === undefined || Object.keys(user.extra).length === 0 ? {} : { extra: user.extra }),
  };
}
