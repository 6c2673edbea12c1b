// The authorizer as expressions ask it: authorizer.group('apps').resource('deployments').namespace('x').check('get').allowed()

import { isDns1123Label, isDns1123Subdomain } from '#machinery/names.ts';
import { fn, type Library, member } from '../functions.ts';
import { BOOL, opaque, STRING } from '../types.ts';
import { celError, type Opaque } from '../values.ts';

export const AUTHORIZER_TYPE = opaque('kubernetes.authorization.Authorizer');
export const RESOURCE_CHECK_TYPE = opaque('kubernetes.authorization.ResourceCheck');
const PATH_CHECK_TYPE = opaque('kubernetes.authorization.PathCheck');
const GROUP_CHECK_TYPE = opaque('kubernetes.authorization.GroupCheck');
const DECISION_TYPE = opaque('kubernetes.authorization.Decision');

/** What is asked. Without a service account, for the user of the request. */
export interface AuthorizationQuestion {
  readonly verb: string;
  readonly path?: string;
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
  /** The user to ask for, when it is not the user of the request. */
  readonly serviceAccount?: { readonly namespace: string; readonly name: string };
}

export interface AuthorizationAnswer {
  readonly allowed: boolean;
  readonly reason: string;
  /** Why no decision could be made. */
  readonly error?: string;
}

export type Authorize = (question: AuthorizationQuestion) => AuthorizationAnswer;

class Check implements Opaque {
  readonly typeName: string;
  readonly authorize: Authorize;
  readonly question: Omit<AuthorizationQuestion, 'verb'>;
  constructor(typeName: string, authorize: Authorize, question: Omit<AuthorizationQuestion, 'verb'>) {
    this.typeName = typeName;
    this.authorize = authorize;
    this.question = question;
  }
  equals(): boolean {
    throw celError('no such overload');
  }
}

class Decision implements Opaque {
  readonly typeName = 'kubernetes.authorization.Decision';
  readonly answer: AuthorizationAnswer;
  constructor(answer: AuthorizationAnswer) {
    this.answer = answer;
  }
  equals(): boolean {
    throw celError('no such overload');
  }
}

/** The value of the variable `authorizer`. */
export const makeAuthorizer = (authorize: Authorize): Opaque => new Check(AUTHORIZER_TYPE.name, authorize, {});

/** The value of `authorizer.requestResource`: the resource of the request, with its subresource, namespace and name. */
export const makeRequestResource = (authorize: Authorize, resource: Omit<AuthorizationQuestion, 'verb'>): Opaque =>
  new Check(RESOURCE_CHECK_TYPE.name, authorize, resource);

const narrowed =
  (type: { readonly name: string }, field: keyof AuthorizationQuestion) =>
  (check: Check, value: string): Check =>
    new Check(type.name, check.authorize, { ...check.question, [field]: value });

function serviceAccount(check: Check, namespace: string, name: string): Check {
  if (isDns1123Label(namespace).length > 0) throw celError('Invalid service account namespace');
  if (isDns1123Subdomain(name).length > 0) throw celError('Invalid service account name');
  return new Check(AUTHORIZER_TYPE.name, check.authorize, { ...check.question, serviceAccount: { namespace, name } });
}

function path(check: Check, value: string): Check {
  if (value === '') throw celError('path must not be empty');
  return narrowed(PATH_CHECK_TYPE, 'path')(check, value);
}

const check = ({ authorize, question }: Check, verb: string): Decision =>
  new Decision(authorize({ ...question, verb }));
const of = (field: keyof AuthorizationQuestion, id: string): ReturnType<typeof member> =>
  member(id, [RESOURCE_CHECK_TYPE, STRING], RESOURCE_CHECK_TYPE, narrowed(RESOURCE_CHECK_TYPE, field));

export const AUTHORIZER_LIBRARY: Library = {
  functions: [
    fn('path', member('authorizer_path', [AUTHORIZER_TYPE, STRING], PATH_CHECK_TYPE, path)),
    fn(
      'group',
      member('authorizer_group', [AUTHORIZER_TYPE, STRING], GROUP_CHECK_TYPE, narrowed(GROUP_CHECK_TYPE, 'group')),
    ),
    fn(
      'serviceAccount',
      member('authorizer_serviceaccount', [AUTHORIZER_TYPE, STRING, STRING], AUTHORIZER_TYPE, serviceAccount),
    ),
    fn(
      'resource',
      member(
        'groupcheck_resource',
        [GROUP_CHECK_TYPE, STRING],
        RESOURCE_CHECK_TYPE,
        narrowed(RESOURCE_CHECK_TYPE, 'resource'),
      ),
    ),
    fn('subresource', of('subresource', 'resourcecheck_subresource')),
    fn('namespace', of('namespace', 'resourcecheck_namespace')),
    fn('name', of('name', 'resourcecheck_name')),
    fn(
      'check',
      member('pathcheck_check', [PATH_CHECK_TYPE, STRING], DECISION_TYPE, check),
      member('resourcecheck_check', [RESOURCE_CHECK_TYPE, STRING], DECISION_TYPE, check),
    ),
    fn(
      'errored',
      member('decision_errored', [DECISION_TYPE], BOOL, ({ answer }: Decision) => answer.error !== undefined),
    ),
    fn(
      'error',
      member('decision_error', [DECISION_TYPE], STRING, ({ answer }: Decision) => answer.error ?? ''),
    ),
    fn(
      'allowed',
      member('decision_allowed', [DECISION_TYPE], BOOL, ({ answer }: Decision) => answer.allowed),
    ),
    fn(
      'reason',
      member('decision_reason', [DECISION_TYPE], STRING, ({ answer }: Decision) => answer.reason),
    ),
  ],
};

export const AUTHORIZER_SELECTORS_LIBRARY: Library = {
  functions: [
    fn('fieldSelector', of('fieldSelector', 'authorizer_fieldselector')),
    fn('labelSelector', of('labelSelector', 'authorizer_labelselector')),
  ],
};
