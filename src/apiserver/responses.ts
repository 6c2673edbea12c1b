// Bodies of answers: objects, statuses, plain text, in the media type that was negotiated.
import type { ExchangeResponse } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';
import { jsonToYaml, type Accepted } from './negotiation.ts';

const JSON_HEADERS = Object.freeze({ 'cache-control': 'no-cache, private', 'content-type': 'application/json' });
const YAML_HEADERS = Object.freeze({ 'cache-control': 'no-cache, private', 'content-type': 'application/yaml' });
const TEXT_HEADERS = Object.freeze({
  'cache-control': 'no-cache, private',
  'content-type': 'text/plain; charset=utf-8',
  'x-content-type-options': 'nosniff',
});

/** JSON bytes that are ready to go. */
export function jsonBytes(status: number, body: Uint8Array): ExchangeResponse {
  return { status, headers: JSON_HEADERS, body };
}

/** JSON bytes, turned into what the client accepts. */
export function encoded(status: number, body: Uint8Array, accepted: Accepted): ExchangeResponse {
  if (accepted.media === 'json' && !accepted.pretty) return jsonBytes(status, body);
  const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
  return accepted.media === 'yaml'
    ? { status, headers: YAML_HEADERS, body: Buffer.from(jsonToYaml(value)) }
    : jsonBytes(status, Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`));
}

export function jsonValue(status: number, value: unknown, accepted?: Accepted): ExchangeResponse {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  return accepted === undefined ? jsonBytes(status, body) : encoded(status, body, accepted);
}

export function text(
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = TEXT_HEADERS,
): ExchangeResponse {
  return { status, headers, body: Buffer.from(body) };
}

/** Any thrown value as the Status that clients see. */
export function errorResponse(error: unknown): ExchangeResponse {
  const status = StatusError.from(error);
  const retry = status.details?.retryAfterSeconds;
  const headers = retry === undefined ? JSON_HEADERS : { ...JSON_HEADERS, 'retry-after': String(retry) };
  return { status: status.code, headers, body: Buffer.from(`${JSON.stringify(status.toStatus())}\n`) };
}

/** `299 - "text"` entries of one Warning header. */
export function warningHeader(texts: readonly string[]): string {
  return texts.map((t) => `299 - "${printable(t).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(', ');
}

/** Headers carry no control characters, and bytes above ASCII only as Latin-1. */
function printable(text: string): string {
  let out = '';
  for (const c of text) {
    const code = c.codePointAt(0)!;
    out += code < 0x20 || code === 0x7f ? ' ' : code > 0x7e ? '?' : c;
  }
  return out;
}
