// JSON merge patch (RFC 7386).
import { StatusError } from '#machinery/status.ts';
import { assign, isObject, type JsonObject } from './json.ts';

/** The merged document; `document` stays as it is. Unlike in the RFC a patch of an API object has to be an object. Throws 400. */
export function applyMergePatch(document: unknown, patch: unknown): unknown {
  if (!isObject(patch)) throw StatusError.badRequest('error decoding patch: a merge patch must be a JSON object');
  return mergePatch(document, patch);
}

/** RFC 7386 as it is written, for any two values. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const out: Record<string, unknown> = isObject(target) ? copy(target) : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key];
    else assign(out, key, mergePatch(Object.hasOwn(out, key) ? out[key] : undefined, value));
  }
  return out;
}

function copy(object: JsonObject): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(object)) assign(out, key, value);
  return out;
}
