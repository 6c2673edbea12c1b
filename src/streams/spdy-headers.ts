// SPDY/3.1 header blocks (SPDY draft 3.1, §2.6.10): name/value pairs behind one zlib stream a direction, primed with the protocol's
// dictionary. Written as stored blocks: headers here are a few dozen bytes, and synchronous code keeps frames in order.
import { Unzlib } from 'fflate';

export type SpdyHeaders = Readonly<Record<string, string>>;

/** Names that stand in the dictionary with their length before them, in its order. */
const WORDS =
  'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization ' +
  'cache-control connection content-base content-encoding content-language content-length content-location content-md5 content-range ' +
  'content-type date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified ' +
  'location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding ' +
  'upgrade user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin';

/** The rest, without lengths. */
const TAIL =
  '1001012012022052063003023033043053063074024054064074084094104114124134144154164175025045052' +
  '03 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found' +
  '500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 ' +
  'Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,' +
  'text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.';

export const SPDY_DICTIONARY: Uint8Array = Buffer.concat([
  ...WORDS.split(' ').map((word) => withLength(word.replace('_', ' '))),
  Buffer.from(TAIL, 'latin1'),
]);

/** Adler-32 of the dictionary; stands in the zlib header. */
export const SPDY_DICTIONARY_ID = 0xe3c6a7c2;

/** Bytes of one decoded header block; Kubernetes' are below 300. */
const MAX_BLOCK_BYTES = 64 * 1024;
/** Bytes of one stored deflate block. */
const STORED_MAX = 0xffff;
/** What a sync flush ends with: an empty stored block. Go's reader hands nothing out before it. */
const SYNC_FLUSH = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff]);

function withLength(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  const out = Buffer.allocUnsafe(4 + bytes.length);
  out.writeUInt32BE(bytes.length, 0);
  bytes.copy(out, 4);
  return out;
}

/** One direction's writer. */
export class HeaderWriter {
  #begun = false;

  encode(headers: SpdyHeaders): Buffer {
    const entries = Object.entries(headers);
    const count = Buffer.allocUnsafe(4);
    count.writeUInt32BE(entries.length, 0);
    const plain = Buffer.concat([count, ...entries.flatMap(([k, v]) => [withLength(k.toLowerCase()), withLength(v)])]);
    if (plain.length > STORED_MAX) throw new Error(`a header block of ${plain.length} bytes is too long`);
    const head = Buffer.from([0x00, 0, 0, 0, 0]);
    head.writeUInt16LE(plain.length, 1);
    head.writeUInt16LE(~plain.length & 0xffff, 3);
    const parts = [head, plain, SYNC_FLUSH];
    if (!this.#begun) {
      this.#begun = true;
      const start = Buffer.from([0x78, 0xbb, 0, 0, 0, 0]);
      start.writeUInt32BE(SPDY_DICTIONARY_ID, 2);
      parts.unshift(start);
    }
    return Buffer.concat(parts);
  }
}

/** The other direction's reader. */
export class HeaderReader {
  #out: Uint8Array[] = [];
  readonly #unzip: Unzlib;

  constructor() {
    this.#unzip = new Unzlib({ dictionary: SPDY_DICTIONARY }, (chunk) => void this.#out.push(chunk));
  }

  decode(block: Uint8Array): SpdyHeaders {
    this.#out = [];
    this.#unzip.push(block);
    const plain = Buffer.concat(this.#out);
    if (plain.length > MAX_BLOCK_BYTES) throw new Error(`a header block of ${plain.length} bytes is too long`);
    if (plain.length < 4) throw new Error('the header block is cut short');
    const headers: Record<string, string> = {};
    let at = 4;
    const text = (): string => {
      const length = at + 4 <= plain.length ? plain.readUInt32BE(at) : -1;
      if (length < 0 || at + 4 + length > plain.length) throw new Error('the header block is cut short');
      const value = plain.toString('utf8', at + 4, at + 4 + length);
      at += 4 + length;
      return value;
    };
    for (let left = plain.readUInt32BE(0); left > 0; left--) {
      const name = text();
      headers[name] = text();
    }
    return headers;
  }
}
