// One question to a node's agent, through the API server's nodes/proxy: an answer, or what stood in the way.
import type { Client } from '#client/client.ts';
import { readBody } from '#machinery/exchange.ts';
import { describeError } from '#base/log.ts';
import type { Cannot } from '../probe/result.ts';

/** What a kubelet that is not Coracle's says to paths it does not know. */
const UNKNOWN_PATH = /404 page not found/;
const VERBS = { GET: 'get', POST: 'create' } as const;

export async function askNode<T>(
  client: Client,
  node: string,
  method: 'GET' | 'POST',
  path: string,
  signal: AbortSignal,
  body?: unknown,
): Promise<T | Cannot> {
  let status: number;
  let text: string;
  try {
    const answer = await client.raw(
      method,
      `/api/v1/nodes/${encodeURIComponent(node)}/proxy${path}`,
      body === undefined ? undefined : Buffer.from(JSON.stringify(body)),
      body === undefined ? {} : { 'content-type': 'application/json' },
      signal,
    );
    status = answer.status;
    text = Buffer.from(await readBody(answer.body)).toString('utf8');
  } catch (error) {
    return { cannot: `node ${node} could not be asked: ${describeError(error)}` };
  }
  if (status === 200) {
    try {
      return JSON.parse(text) as T;
    } catch {
      return { cannot: `node ${node} is not one of Coracle’s nodes` };
    }
  }
  const said = messageOf(text);
  if (status === 401 || status === 403) {
    const permission = `${VERBS[method]} nodes/proxy`;
    return { cannot: `the permission to ${permission} is missing`, permission };
  }
  if ((status === 404 || status === 405) && (UNKNOWN_PATH.test(said) || /Method Not Allowed/.test(said)))
    return { cannot: `node ${node} is not one of Coracle’s nodes` };
  return { cannot: `node ${node}: ${said}` };
}

/** The words of a Status, or the plain text that kubelets speak. */
function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { readonly message?: string };
    return message ?? text;
  } catch {
    return text.trim();
  }
}

export const isCannot = <T extends object>(value: T | Cannot): value is Cannot => 'cannot' in value;
