// Reads what a request is about from its method and path, as upstream's RequestInfoFactory does. No regular
// expressions: every request passes here.
import type { RequestInfo } from './pipeline.ts';

const NO_QUERY = new URLSearchParams();

/** Paths under `namespaces/NAME/` that are subresources of the namespace, not resources in it. */
const isNamespaceSubresource = (part: string): boolean => part === 'status' || part === 'finalize';

function verbOfMethod(method: string): string {
  switch (method) {
    case 'POST':
      return 'create';
    case 'GET':
    case 'HEAD':
      return 'get';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return 'delete';
    default:
      return '';
  }
}

const isTrue = (value: string | null): boolean => value === 'true' || value === '1' || value === '';

/** Undefined when the path is not well-formed (broken percent escapes). */
export function parseRequestInfo(method: string, target: string): RequestInfo | undefined {
  const question = target.indexOf('?');
  const rawPath = question < 0 ? target : target.slice(0, question);
  const query =
    question < 0 || question === target.length - 1 ? NO_QUERY : new URLSearchParams(target.slice(question + 1));
  let path = rawPath;
  if (path.includes('%')) {
    try {
      path = decodeURIComponent(path);
    } catch {
      return undefined;
    }
  }
  const nonResource = (): RequestInfo => ({
    isResourceRequest: false,
    path,
    verb: method.toLowerCase(),
    apiGroup: '',
    apiVersion: '',
    namespace: '',
    resource: '',
    subresource: '',
    name: '',
    rest: '',
    query,
  });

  const parts = path.split('/');
  // parts[0] is '' before the leading slash; a trailing slash leaves an empty last part.
  let end = parts.length;
  while (end > 1 && parts[end - 1] === '') end--;
  let at: number;
  let apiGroup = '';
  if (parts[1] === 'api') {
    if (end < 4) return nonResource();
    at = 3;
  } else if (parts[1] === 'apis') {
    if (end < 5) return nonResource();
    apiGroup = parts[2]!;
    at = 4;
  } else {
    return nonResource();
  }
  const apiVersion = parts[at - 1]!;
  let verb = verbOfMethod(method);

  // The deprecated prefix: /api/v1/watch/namespaces/x/pods
  if (parts[at] === 'watch' && end > at + 1) {
    verb = 'watch';
    at++;
  }

  let namespace = '';
  if (parts[at] === 'namespaces' && end > at + 1) {
    namespace = parts[at + 1]!;
    if (end > at + 2 && !isNamespaceSubresource(parts[at + 2]!)) at += 2;
  }
  const resource = parts[at]!;
  const name = end > at + 1 ? parts[at + 1]! : '';
  const subresource = end > at + 2 ? parts[at + 2]! : '';
  const rest = end > at + 3 ? `/${parts.slice(at + 3).join('/')}` : parts.length > end && subresource !== '' ? '/' : '';

  if (name === '') {
    if (verb === 'get') verb = query.size > 0 && query.has('watch') && isTrue(query.get('watch')) ? 'watch' : 'list';
    else if (verb === 'delete') verb = 'deletecollection';
  }
  return {
    isResourceRequest: true,
    path,
    verb,
    apiGroup,
    apiVersion,
    namespace,
    resource,
    subresource,
    name,
    rest,
    query,
  };
}
