// The names Kubernetes gives to users and groups of its own.
import type { UserInfo } from '#machinery/exchange.ts';
import { AGENT_USER_PREFIX } from '#tunnel/protocol.ts';

export const ALL_AUTHENTICATED = 'system:authenticated';
export const ALL_UNAUTHENTICATED = 'system:unauthenticated';
export const ANONYMOUS = 'system:anonymous';
/** Bypasses authorization. */
export const PRIVILEGED_GROUP = 'system:masters';
export const NODES_GROUP = 'system:nodes';
export const NODE_USER_PREFIX = 'system:node:';
/** Coracle's own: with these nodes' networks and volumes act. */
export const NODE_AGENT_GROUP = 'coracle:node-agents';
const SERVICE_ACCOUNT_PREFIX = 'system:serviceaccount:';
const ALL_SERVICE_ACCOUNTS = 'system:serviceaccounts';

/** Keys of UserInfo.extra. */
export const CREDENTIAL_ID_KEY = 'authentication.kubernetes.io/credential-id';
export const POD_NAME_KEY = 'authentication.kubernetes.io/pod-name';
export const POD_UID_KEY = 'authentication.kubernetes.io/pod-uid';
export const NODE_NAME_KEY = 'authentication.kubernetes.io/node-name';
export const NODE_UID_KEY = 'authentication.kubernetes.io/node-uid';

export const anonymousUser: UserInfo = { name: ANONYMOUS, groups: [ALL_UNAUTHENTICATED] };

/** The API server's own identity on its way to itself. */
export const apiServerUser: UserInfo = { name: 'system:apiserver', groups: [PRIVILEGED_GROUP, ALL_AUTHENTICATED] };

export function serviceAccountUsername(namespace: string, name: string): string {
  return `${SERVICE_ACCOUNT_PREFIX}${namespace}:${name}`;
}

export function serviceAccountGroups(namespace: string): readonly string[] {
  return [ALL_SERVICE_ACCOUNTS, `${ALL_SERVICE_ACCOUNTS}:${namespace}`];
}

/** Undefined when `username` is not a service account's. */
export function parseServiceAccountUsername(
  username: string,
): { readonly namespace: string; readonly name: string } | undefined {
  if (!username.startsWith(SERVICE_ACCOUNT_PREFIX)) return undefined;
  const [namespace, name, more] = username.slice(SERVICE_ACCOUNT_PREFIX.length).split(':');
  return namespace && name && more === undefined ? { namespace, name } : undefined;
}

/** The node a user is: by name and group, as upstream's default node identifier. Undefined for other users; name '' for a
 *  member of system:nodes without a node's name. */
export function nodeNameOf(user: UserInfo): string | undefined {
  if (!user.groups.includes(NODES_GROUP) || !user.name.startsWith(NODE_USER_PREFIX)) return undefined;
  return user.name.slice(NODE_USER_PREFIX.length);
}

/** The node whose agent a user is. */
export function agentNodeOf(user: UserInfo): string | undefined {
  if (!user.groups.includes(NODE_AGENT_GROUP) || !user.name.startsWith(AGENT_USER_PREFIX)) return undefined;
  return user.name.slice(AGENT_USER_PREFIX.length);
}

/** Every authenticated user is in system:authenticated. */
export function withAuthenticatedGroup(user: UserInfo): UserInfo {
  if (user.groups.includes(ALL_AUTHENTICATED) || user.groups.includes(ALL_UNAUTHENTICATED)) return user;
  return { ...user, groups: [...user.groups, ALL_AUTHENTICATED] };
}
