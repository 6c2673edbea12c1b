// URLs, read as Go reads the URI of a request: absolute, or a path from the root.

import { fn, global, type Library, member } from '../functions.ts';
import { BOOL, listOf, mapOf, opaque, STRING } from '../types.ts';
import { celError, type Opaque } from '../values.ts';

export const URL_TYPE = opaque('kubernetes.URL');

export class Url implements Opaque {
  readonly typeName = 'kubernetes.URL';
  readonly text: string;
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;

  constructor(parts: { text: string; scheme: string; host: string; path: string; query: string }) {
    this.text = parts.text;
    this.scheme = parts.scheme;
    this.host = parts.host;
    this.path = parts.path;
    this.query = parts.query;
  }

  /** Without port and brackets. */
  get hostname(): string {
    const bracketed = /^\[(.*)\](?::\d*)?$/.exec(this.host);
    return bracketed === null ? this.host.replace(/:\d*$/, '') : bracketed[1]!;
  }

  get port(): string {
    return /:(\d*)$/.exec(this.host.replace(/^\[.*\]/, ''))?.[1] ?? '';
  }

  equals(other: Opaque): boolean {
    return other instanceof Url && other.text === this.text;
  }
}

/** The reason, in Go's words, when the text is no URL. */
export function parseUrl(text: string): Url | { readonly reason: string } {
  const parsed = parseParts(text);
  return typeof parsed === 'string'
    ? { reason: `parse ${JSON.stringify(text)}: ${parsed}` }
    : new Url({ text, ...parsed });
}

type Parts = { scheme: string; host: string; path: string; query: string };

function parseParts(text: string): Parts | string {
  if (/[\u0000-\u001f\u007f]/.test(text)) return 'net/url: invalid control character in URL';
  if (text === '') return 'empty url';
  if (text === '*') return { scheme: '', host: '', path: '*', query: '' };
  const colon = text.search(/[^a-zA-Z0-9+\-.]/);
  const hasScheme = colon > 0 && text[colon] === ':' && /^[a-zA-Z]/.test(text);
  if (text.startsWith(':')) return 'missing protocol scheme';
  const scheme = hasScheme ? text.slice(0, colon).toLowerCase() : '';
  let rest = hasScheme ? text.slice(colon + 1) : text;
  rest = rest.replace(/#.*$/s, '');
  const mark = rest.indexOf('?');
  const query = mark < 0 ? '' : rest.slice(mark + 1);
  if (mark >= 0) rest = rest.slice(0, mark);
  if (!rest.startsWith('/')) return hasScheme ? { scheme, host: '', path: '', query } : 'invalid URI for request';
  let host = '';
  if (rest.startsWith('//') && (hasScheme || !rest.startsWith('///'))) {
    const end = rest.indexOf('/', 2);
    const authority = end < 0 ? rest.slice(2) : rest.slice(2, end);
    rest = end < 0 ? '' : rest.slice(end);
    host = authority.slice(authority.lastIndexOf('@') + 1);
    if (
      authority.includes('@') &&
      !/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(authority.slice(0, authority.lastIndexOf('@')))
    )
      return 'net/url: invalid userinfo';
    const wrong = hostProblem(host);
    if (wrong !== undefined) return wrong;
  }
  const escape = badEscape(rest);
  if (escape !== undefined) return `invalid URL escape ${JSON.stringify(escape)}`;
  return { scheme, host, path: escapePath(rest), query };
}

function hostProblem(host: string): string | undefined {
  if (host.startsWith('[')) {
    const end = host.lastIndexOf(']');
    if (end < 0) return "missing ']' in host";
    return portProblem(host.slice(end + 1));
  }
  const colon = host.lastIndexOf(':');
  if (colon >= 0) {
    const wrong = portProblem(host.slice(colon));
    if (wrong !== undefined) return wrong;
  }
  const escape = badEscape(host);
  if (escape !== undefined) return `invalid URL escape ${JSON.stringify(escape)}`;
  const bad = /[ "\\^`{|}]/.exec(host);
  return bad === null ? undefined : `invalid character ${JSON.stringify(bad[0])} in host name`;
}

const portProblem = (port: string): string | undefined =>
  port === '' || /^:\d*$/.test(port) ? undefined : `invalid port ${JSON.stringify(port)} after host`;

function badEscape(text: string): string | undefined {
  return /%(?![0-9a-fA-F]{2}).{0,2}/.exec(text)?.[0];
}

/** What a path may not hold as it is, is escaped. */
function escapePath(path: string): string {
  return path.replaceAll(/[^A-Za-z0-9\-_.~$&+,/:;=@!'()*%[\]]/gu, (character) => encodeURIComponent(character));
}

function queryOf(url: Url): Record<string, string[]> {
  const values: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (const part of url.query.split('&')) {
    if (part === '' || part.includes(';')) continue;
    const [key, ...rest] = part.split('=');
    const decodedKey = unescapeQuery(key!);
    const value = unescapeQuery(rest.join('='));
    if (decodedKey === undefined || value === undefined) continue;
    (values[decodedKey] ??= []).push(value);
  }
  return values;
}

function unescapeQuery(text: string): string | undefined {
  if (badEscape(text) !== undefined) return undefined;
  const bytes = text.replaceAll('+', ' ');
  return Buffer.from(
    bytes.replaceAll(/%([0-9a-fA-F]{2})|[^%]/gu, (all, hex: string | undefined) =>
      hex === undefined ? Buffer.from(all, 'utf8').toString('latin1') : String.fromCharCode(Number.parseInt(hex, 16)),
    ),
    'latin1',
  ).toString('utf8');
}

function url(text: string): Url {
  const parsed = parseUrl(text);
  if (parsed instanceof Url) return parsed;
  throw celError(`URL parse error during conversion from string: ${parsed.reason}`);
}

export const URLS_LIBRARY: Library = {
  functions: [
    fn('url', global('string_to_url', [STRING], URL_TYPE, url)),
    fn(
      'isURL',
      global('is_url_string', [STRING], BOOL, (text: string) => parseUrl(text) instanceof Url),
    ),
    fn(
      'getScheme',
      member('url_get_scheme', [URL_TYPE], STRING, (u: Url) => u.scheme),
    ),
    fn(
      'getHost',
      member('url_get_host', [URL_TYPE], STRING, (u: Url) => u.host),
    ),
    fn(
      'getHostname',
      member('url_get_hostname', [URL_TYPE], STRING, (u: Url) => u.hostname),
    ),
    fn(
      'getPort',
      member('url_get_port', [URL_TYPE], STRING, (u: Url) => u.port),
    ),
    fn(
      'getEscapedPath',
      member('url_get_escaped_path', [URL_TYPE], STRING, (u: Url) => u.path),
    ),
    fn('getQuery', member('url_get_query', [URL_TYPE], mapOf(STRING, listOf(STRING)), queryOf)),
  ],
};
