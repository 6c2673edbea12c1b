// Acting as somebody else: the Impersonate-* headers, each name authorized on its own with verb `impersonate`.
import type { UserInfo } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';
import type { Authorizer, AuthorizerAttributes } from '../pipeline.ts';
import { forbiddenMessage } from '../authorization/forbidden.ts';
import { extraHeaders, splitHeader } from './client-certificate.ts';
import {
  ALL_AUTHENTICATED,
  ALL_UNAUTHENTICATED,
  ANONYMOUS,
  parseServiceAccountUsername,
  serviceAccountGroups,
} from './users.ts';

const USER_HEADER = 'impersonate-user';
const GROUP_HEADER = 'impersonate-group';
const UID_HEADER = 'impersonate-uid';
const EXTRA_PREFIX = 'impersonate-extra-';

/** The user the request shall act as; undefined without such headers. Throws StatusError(403) when one of the names is not
 *  allowed, and as upstream a 500 when other headers come without Impersonate-User. */
export async function impersonate(
  user: UserInfo,
  headers: Readonly<Record<string, string>>,
  authorizer: Authorizer,
): Promise<UserInfo | undefined> {
  const name = headers[USER_HEADER] ?? '';
  const groups = splitHeader(headers[GROUP_HEADER]);
  const uid = headers[UID_HEADER] ?? '';
  const extra = extraHeaders(headers, EXTRA_PREFIX);
  const extras = Object.entries(extra);
  if (name === '') {
    if (groups.length === 0 && uid === '' && extras.length === 0) return undefined;
    throw StatusError.internal(`requested ${JSON.stringify({ groups, uid, extra })} without impersonating a user`);
  }

  const account = parseServiceAccountUsername(name);
  const wanted: Wanted[] = [
    account === undefined
      ? { apiGroup: '', resource: 'users', name }
      : { apiGroup: '', resource: 'serviceaccounts', namespace: account.namespace, name: account.name },
    ...groups.map((group) => ({ apiGroup: '', resource: 'groups', name: group })),
    ...(uid === '' ? [] : [{ apiGroup: 'authentication.k8s.io', resource: 'uids', name: uid }]),
    ...extras.flatMap(([key, values]) =>
      values.map((value) => ({
        apiGroup: 'authentication.k8s.io',
        resource: 'userextras',
        subresource: key,
        name: value,
      })),
    ),
  ];
  for (const what of wanted) await authorize(user, what, authorizer);

  // A service account named without groups gets its own, as if its token had been shown.
  const base = groups.length === 0 && account !== undefined ? serviceAccountGroups(account.namespace) : groups;
  return {
    name,
    ...(uid === '' ? {} : { uid }),
    groups: withKindOfUser(name, base),
    ...(extras.length === 0 ? {} : { extra }),
  };
}

interface Wanted {
  readonly apiGroup: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name: string;
}

async function authorize(user: UserInfo, what: Wanted, authorizer: Authorizer): Promise<void> {
  const attributes: AuthorizerAttributes = {
    user,
    verb: 'impersonate',
    isResourceRequest: true,
    namespace: what.namespace ?? '',
    apiGroup: what.apiGroup,
    apiVersion: 'v1',
    resource: what.resource,
    subresource: what.subresource ?? '',
    name: what.name,
    path: '',
  };
  const { decision, reason } = await authorizer.authorize(attributes);
  if (decision !== 'allow') {
    throw StatusError.forbidden(
      { group: what.apiGroup, resource: what.resource },
      what.name,
      forbiddenMessage(attributes, reason),
    );
  }
}

function withKindOfUser(name: string, groups: readonly string[]): readonly string[] {
  if (name === ANONYMOUS) return groups.includes(ALL_UNAUTHENTICATED) ? groups : [...groups, ALL_UNAUTHENTICATED];
  if (groups.includes(ALL_AUTHENTICATED) || groups.includes(ALL_UNAUTHENTICATED)) return groups;
  return [...groups, ALL_AUTHENTICATED];
}
