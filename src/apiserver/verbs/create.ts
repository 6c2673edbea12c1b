// create and update: the body is the wanted object.
import type { ExchangeResponse } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';
import type { Codec } from '../codec.ts';
import type { RequestContext } from '../context.ts';
import { negotiate } from '../negotiation.ts';
import { jsonValue } from '../responses.ts';
import { presented, type Served } from '../served.ts';
import { writeOptions } from './options.ts';
import { showEntry } from './read.ts';
import type { Write, Writer, Written } from './write.ts';

export interface WriteVerbDeps {
  readonly codec: Codec;
  readonly writer: Writer;
}

/** Rules of a subresource that replace the kind's own. */
export type WriteRules = Pick<Write, 'prepare' | 'validate'>;

export async function create(
  served: Served,
  context: RequestContext,
  { codec, writer }: WriteVerbDeps,
): Promise<ExchangeResponse> {
  const accepted = negotiate(context.request.headers.accept);
  const options = writeOptions(context, 'CreateOptions');
  const object = codec.decode(served, context, options.fieldValidation);
  const written = await writer.write({
    served,
    context,
    subresource: '',
    verb: 'create',
    mode: 'create',
    options,
    namespace: served.definition.namespaced ? context.info.namespace : '',
    name: '',
    desired: () => object,
  });
  return showWritten(201, served, written, accepted, context);
}

export async function update(
  served: Served,
  context: RequestContext,
  subresource: string,
  { codec, writer }: WriteVerbDeps,
  rules: WriteRules = {},
): Promise<ExchangeResponse> {
  const accepted = negotiate(context.request.headers.accept);
  const options = writeOptions(context, 'UpdateOptions');
  const object = codec.decode(served, context, options.fieldValidation);
  const { info } = context;
  const { name, namespace } = object.metadata;
  if ((name ?? '') === '')
    throw StatusError.badRequest(
      `the name of the object (${name ?? ''} based on URL) was undeterminable: name must be provided`,
    );
  if (name !== info.name)
    throw StatusError.badRequest(`the name of the object (${name}) does not match the name on the URL (${info.name})`);
  if (served.definition.namespaced && (namespace ?? '') !== '' && namespace !== info.namespace) {
    throw StatusError.badRequest(
      `the namespace of the object (${namespace}) does not match the namespace on the URL (${info.namespace})`,
    );
  }
  const written = await writer.write({
    ...rules,
    served,
    context,
    subresource,
    verb: 'update',
    options,
    mode: subresource === '' && served.definition.strategy.allowCreateOnUpdate === true ? 'createOrUpdate' : 'update',
    namespace: served.definition.namespaced ? info.namespace : '',
    name: info.name,
    desired: () => object,
  });
  return showWritten(written.outcome === 'created' ? 201 : 200, served, written, accepted, context);
}

export function showWritten(
  status: number,
  served: Served,
  written: Written,
  accepted: ReturnType<typeof negotiate>,
  context: RequestContext,
): ExchangeResponse {
  if (written.entry === undefined) return jsonValue(status, presented(served, written.object), accepted);
  return showEntry(status, served, written.entry, accepted, context);
}
