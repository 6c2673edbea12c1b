// The sentence with which a refused request is answered, in upstream's words.
import type { AuthorizerAttributes } from '../pipeline.ts';
import { StatusError } from '#machinery/status.ts';

/** `User "x" cannot get resource "pods" in API group "" in the namespace "y"`, followed by the authorizer's reason. */
export function forbiddenMessage(attributes: AuthorizerAttributes, reason: string): string {
  const { user, verb, isResourceRequest, apiGroup, resource, subresource, namespace, path } = attributes;
  const who = `User ${JSON.stringify(user.name)}`;
  const tail = reason === '' ? '' : `: ${reason}`;
  if (!isResourceRequest) return `${who} cannot ${verb} path ${JSON.stringify(path)}${tail}`;
  const what = subresource === '' ? resource : `${resource}/${subresource}`;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  return `${who} cannot ${verb} resource ${JSON.stringify(what)} in API group ${JSON.stringify(apiGroup)} ${where}${tail}`;
}

/** The 403 of a request that no authorizer allowed. */
export function forbidden(attributes: AuthorizerAttributes, reason: string): StatusError {
  const { isResourceRequest, apiGroup, resource, name } = attributes;
  const subject = isResourceRequest ? { group: apiGroup, resource } : { resource: '' };
  return StatusError.forbidden(subject, isResourceRequest ? name : '', forbiddenMessage(attributes, reason));
}
