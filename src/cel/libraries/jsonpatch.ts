// For policies that write JSON patches: keys escaped for JSON pointers (RFC 6901).

import { fn, global, type Library } from '../functions.ts';
import { STRING } from '../types.ts';

export const JSONPATCH_LIBRARY: Library = {
  functions: [
    fn(
      'jsonpatch.escapeKey',
      global('jsonpatch_escapeKey_string', [STRING], STRING, (key: string) =>
        key.replaceAll('~', '~0').replaceAll('/', '~1'),
      ),
    ),
  ],
};
