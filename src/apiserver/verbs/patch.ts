// patch: JSON patch, merge patch, strategic merge patch and apply, each worked on the object in the version that is asked for, and
// repeated on the newest object after each conflict.
import type { ExchangeResponse } from '#machinery/exchange.ts';
import type { KubeObject } from '#machinery/object.ts';
import { StatusError } from '#machinery/status.ts';
import { load } from 'js-yaml';
import type { RequestContext } from '../context.ts';
import { negotiate } from '../negotiation.ts';
import { presented, type Served } from '../served.ts';
import type { Patcher } from '../patcher.ts';
import { apply, type ApplyDeps } from './apply.ts';
import { showWritten, type WriteRules, type WriteVerbDeps } from './create.ts';
import { writeOptions } from './options.ts';

export const APPLY = 'application/apply-patch+yaml';

const TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  APPLY,
];

export interface PatchDeps extends WriteVerbDeps, ApplyDeps {
  readonly patcher: Patcher;
}

export async function patch(
  served: Served,
  context: RequestContext,
  subresource: string,
  deps: PatchDeps,
  rules: WriteRules = {},
): Promise<ExchangeResponse> {
  const accepted = negotiate(context.request.headers.accept);
  const type = patchType(context);
  if (type === APPLY) return apply(served, context, subresource, deps, rules);
  const { codec, writer, patcher } = deps;
  const options = writeOptions(context, 'PatchOptions');
  const { info } = context;
  const namespace = served.definition.namespaced ? info.namespace : '';
  if (options.force !== undefined)
    throw StatusError.invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [
      { type: 'FieldValueForbidden', field: 'force', detail: 'may not be specified for non-apply patch' },
    ]);
  const parsed = parsePatch(context);
  const written = await writer.write({
    ...rules,
    served,
    context,
    subresource,
    verb: 'patch',
    mode: 'update',
    options,
    namespace,
    name: info.name,
    desired: (old) => {
      const current = presented(served, old!);
      const patched = patcher.patch(type, current, parsed, served.version.schema);
      checkIdentity(patched, current);
      return codec.decodeValue(served, patched, context, options.fieldValidation);
    },
  });
  return showWritten(200, served, written, accepted, context);
}

export function patchType(context: RequestContext): string {
  const header = context.request.headers['content-type'] ?? '';
  const semicolon = header.indexOf(';');
  const type = (semicolon < 0 ? header : header.slice(0, semicolon)).trim();
  if (!TYPES.includes(type))
    throw StatusError.unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: ${TYPES.join(', ')}`,
    );
  return type;
}

export function parsePatch(context: RequestContext): unknown {
  const text = Buffer.from(context.request.body ?? new Uint8Array(0)).toString('utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    // kubectl sends YAML patches as they are typed.
    try {
      return load(text);
    } catch {
      throw StatusError.badRequest(`error decoding patch: ${(error as Error).message}`);
    }
  }
}

/** Name and namespace of a patched object are those of the URL. */
function checkIdentity(patched: unknown, current: KubeObject): void {
  const { name, namespace } = (patched as KubeObject).metadata ?? {};
  if (name !== current.metadata.name) {
    throw StatusError.badRequest(
      `the name of the object (${name ?? ''}) does not match the name on the URL (${current.metadata.name})`,
    );
  }
  if (namespace !== current.metadata.namespace) {
    throw StatusError.badRequest(
      `the namespace of the object (${namespace ?? ''}) does not match the namespace on the URL (${current.metadata.namespace})`,
    );
  }
}
