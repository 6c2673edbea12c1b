// Links inside HTML pages that come through a proxy: what they say of paths on their own server is true here below the proxy's path
// alone. Which attributes hold addresses is upstream's table. Bytes that are no such address stay as they were.
import type { ExchangeResponse } from '#machinery/exchange.ts';

/** Attribute → elements in which it holds an address. */
const ADDRESSES: Readonly<Record<string, ReadonlySet<string>>> = {
  action: new Set(['form']),
  background: new Set(['body']),
  cite: new Set(['blockquote', 'del', 'ins', 'q']),
  classid: new Set(['object']),
  codebase: new Set(['applet', 'object']),
  data: new Set(['object']),
  formaction: new Set(['button', 'input']),
  href: new Set(['a', 'area', 'base', 'link']),
  icon: new Set(['command']),
  longdesc: new Set(['frame', 'iframe', 'img']),
  manifest: new Set(['html']),
  poster: new Set(['video']),
  profile: new Set(['head']),
  src: new Set(['audio', 'embed', 'frame', 'iframe', 'img', 'input', 'script', 'source', 'video']),
  usemap: new Set(['img', 'input', 'object']),
};

/** Elements whose content is text, whatever it looks like. */
const RAW_TEXT = /^<(script|style|textarea|title|xmp|noembed|noframes)\b/i;
const ATTRIBUTE = /([^\s"'<>/=]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)/g;
/** A tag, comment or declaration at the beginning of the text, whole. */
const MARKUP = /^<(?:!--[\s\S]*?-->|(?!!--)[a-z/!?](?:"[^"]*"|'[^']*'|[^"'>])*>)/i;
/** Held back while a tag is incomplete; what is longer is handed on as it is. */
const MAX_HELD = 64 * 1024;

/** Encodings that are taken off first; pages in others are handed on as they are. */
const ENCODINGS: ReadonlySet<string> = new Set(['', 'identity', 'gzip', 'deflate']);

/** A proxied answer with the links of its page rewritten; anything but HTML stays as it is. */
export function rewriteAnswer(answer: ExchangeResponse, prefix: string, host: string): ExchangeResponse {
  const { 'content-encoding': encoding = '', 'content-length': _, ...headers } = answer.headers;
  const isPage = /^text\/html\b/i.test(headers['content-type'] ?? '');
  if (!isPage || answer.body instanceof Uint8Array || !ENCODINGS.has(encoding)) return answer;
  const plain = encoding === '' || encoding === 'identity' ? answer.body : decompress(answer.body, encoding);
  return { status: answer.status, headers, body: rewriteHtml(plain, prefix, host) };
}

const decompress = (body: AsyncIterable<Uint8Array>, encoding: string): AsyncIterable<Uint8Array> =>
  ReadableStream.from(body).pipeThrough(
    new DecompressionStream(encoding as 'gzip' | 'deflate') as unknown as {
      readonly readable: ReadableStream<Uint8Array>;
      readonly writable: WritableStream<Uint8Array>;
    },
  );

/** `prefix` is the proxy's path, `host` the name under which the page's server was asked. */
export async function* rewriteHtml(
  chunks: AsyncIterable<Uint8Array>,
  prefix: string,
  host: string,
): AsyncGenerator<Uint8Array> {
  let held = '';
  let raw: string | undefined;
  for await (const chunk of chunks) {
    // One character a byte: whatever the page's encoding is, tags and paths are ASCII.
    held += Buffer.from(chunk).toString('latin1');
    const { done, rest, raw: within } = rewriteTags(held, raw, prefix, host);
    raw = within;
    held = rest.length > MAX_HELD ? '' : rest;
    const ready = rest.length > MAX_HELD ? done + rest : done;
    if (ready !== '') yield Buffer.from(ready, 'latin1');
  }
  if (held !== '') yield Buffer.from(held, 'latin1');
}

/** As far as the text is whole. `raw` is the element whose end is awaited, before and after. */
function rewriteTags(text: string, raw: string | undefined, prefix: string, host: string) {
  let done = '';
  let at = 0;
  for (;;) {
    const open = raw === undefined ? text.indexOf('<', at) : text.toLowerCase().indexOf(`</${raw}`, at);
    if (open < 0) {
      // The end tag's beginning may be all that is here of it.
      const keep = raw === undefined ? text.length : Math.max(at, text.length - raw.length - 2);
      return { done: done + text.slice(at, keep), rest: text.slice(keep), raw };
    }
    done += text.slice(at, open);
    const from = text.slice(open);
    const markup = MARKUP.exec(from)?.[0];
    if (markup === undefined) {
      // A lone `<` is text; one at the end may still become a tag.
      if (from.length > 1 && !/^<[a-z/!?]/i.test(from)) {
        done += '<';
        at = open + 1;
        continue;
      }
      return { done, rest: from, raw };
    }
    done += rewriteTag(markup, prefix, host);
    raw = RAW_TEXT.exec(markup)?.[1]!.toLowerCase();
    at = open + markup.length;
  }
}

function rewriteTag(tag: string, prefix: string, host: string): string {
  const element = /^<([a-z][^\s/>]*)/i.exec(tag)?.[1]!.toLowerCase();
  if (element === undefined) return tag;
  const behind = element.length + 1;
  const attributes = tag.slice(behind).replaceAll(ATTRIBUTE, (whole, name: string, is: string, value: string) => {
    if (ADDRESSES[name.toLowerCase()]?.has(element) !== true) return whole;
    const quote = /^["']/.exec(value)?.[0] ?? '';
    const address = quote === '' ? value : value.slice(1, -1);
    return `${name}${is}${quote}${rewriteAddress(address, prefix, host)}${quote}`;
  });
  return tag.slice(0, behind) + attributes;
}

/** Addresses of other servers, relative ones, and those that name the proxy already stay. */
export function rewriteAddress(address: string, prefix: string, host: string): string {
  const [, ofHost, path = '/'] = /^(?:https?:)?\/\/([^/?#]*)(.*)$/i.exec(address) ?? [];
  const own = ofHost === undefined ? address : ofHost === host ? path : '';
  if (!own.startsWith('/') || own.startsWith(prefix)) return address;
  return `${prefix}${own}`;
}
