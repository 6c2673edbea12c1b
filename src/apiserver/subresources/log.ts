// pods/log: the kubelet's text, streamed.
import type { Pod } from '#generated/api/core-v1.ts';
import type { ExchangeResponse } from '#machinery/exchange.ts';
import { type FieldError, fieldError, StatusError } from '#machinery/status.ts';
import { requestOver } from '#streams/http-upgrade.ts';
import { containerOf } from './exec.ts';
import { dialKubelet, type KubeletAccess, kubeletError } from './proxy-backend.ts';
import type { ConnectHandler, ConnectRequest } from './subresource.ts';

const TEXT = { 'content-type': 'text/plain', 'cache-control': 'no-cache, private' };

export function logHandler(access: KubeletAccess): ConnectHandler {
  return { name: 'log', resource: '/pods', needsObject: true, serve: (request) => serveLog(request, access) };
}

async function serveLog({ context, object }: ConnectRequest, access: KubeletAccess): Promise<ExchangeResponse> {
  const pod = object as Pod;
  const { query } = context.info;
  const options = logQuery(query);
  const container = containerOf(pod, query.get('container') ?? '');
  const node = pod.spec?.nodeName ?? '';
  // Not bound yet: nothing was written so far.
  if (node === '') return { status: 200, headers: TEXT, body: new Uint8Array(0) };
  const backend = await dialKubelet(access, node);
  const answer = await requestOver(backend, {
    method: 'GET',
    path: `/containerLogs/${pod.metadata.namespace}/${pod.metadata.name}/${container}${options.size === 0 ? '' : `?${options}`}`,
    headers: { host: node },
    signal: context.request.signal,
  }).catch((error: Error) => {
    throw StatusError.internal(`error dialing backend: ${error.message}`, error);
  });
  if (answer.status !== 200) throw await kubeletError(answer);
  return { status: 200, headers: TEXT, body: answer.body as unknown as AsyncIterable<Uint8Array> };
}

const NUMBERS = [
  ['tailLines', 0, 'must be greater than or equal to 0'],
  ['sinceSeconds', 1, 'must be greater than 0'],
  ['limitBytes', 1, 'must be greater than 0'],
] as const;

/** PodLogOptions, checked, as the kubelet reads them. */
export function logQuery(query: URLSearchParams): URLSearchParams {
  const out = new URLSearchParams();
  const errors: FieldError[] = [];
  for (const option of ['follow', 'previous', 'timestamps']) {
    const value = query.get(option);
    if (value !== null && value !== 'false' && value !== '0') out.set(option, 'true');
  }
  for (const [option, least, rule] of NUMBERS) {
    const text = query.get(option);
    if (text === null) continue;
    const value = Number(text);
    if (text === '' || !Number.isSafeInteger(value))
      throw StatusError.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
    if (value < least) errors.push(fieldError.invalid(option, value, rule));
    else out.set(option, String(value));
  }
  const sinceTime = query.get('sinceTime');
  if (sinceTime !== null) {
    if (Number.isNaN(Date.parse(sinceTime)))
      throw StatusError.badRequest(`parsing time ${JSON.stringify(sinceTime)}: it is not in RFC 3339`);
    if (query.has('sinceSeconds'))
      errors.push(
        fieldError.forbidden('sinceSeconds', 'at most one of `sinceTime` or `sinceSeconds` may be specified'),
      );
    out.set('sinceTime', sinceTime);
  }
  const stream = query.get('stream');
  if (stream !== null && stream !== 'All') {
    if (stream !== 'Stdout' && stream !== 'Stderr')
      errors.push(fieldError.notSupported('stream', stream, ['All', 'Stderr', 'Stdout']));
    else if (query.has('tailLines'))
      errors.push(
        fieldError.forbidden('tailLines', '`tailLines` and specific `stream` are mutually exclusive for now'),
      );
    out.set('stream', stream);
  }
  if (errors.length > 0) throw StatusError.invalid({ kind: 'PodLogOptions' }, '', errors);
  return out;
}
