// base64 (cel-go's encoders extension; not part of Kubernetes' environments).

import { fn, global, type Library } from '../functions.ts';
import { BYTES, STRING } from '../types.ts';
import { celError } from '../values.ts';

function decode(text: string): Uint8Array {
  const padded = text.length % 4 === 0 ? text : text + '='.repeat(4 - (text.length % 4));
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(padded) || text.length % 4 === 1)
    throw celError('illegal base64 data at input byte 0');
  return new Uint8Array(Buffer.from(padded, 'base64'));
}

export const ENCODERS_LIBRARY: Library = {
  functions: [
    fn('base64.decode', global('base64_decode_string', [STRING], BYTES, decode)),
    fn(
      'base64.encode',
      global('base64_encode_bytes', [BYTES], STRING, (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')),
    ),
  ],
};
