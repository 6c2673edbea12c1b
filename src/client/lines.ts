// Splits a chunked body into its lines. Every byte is looked at once and copied at most once, however long a line is
// and however small the chunks are.

const NEWLINE = 0x0a;

/** The non-empty lines of `body`, as text. A last line without a newline is cut off, not a line: it is dropped. */
export async function* readLines(body: Uint8Array | AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  /** Pieces of the line that has not ended yet. */
  let pieces: Uint8Array[] = [];
  for await (const chunk of body instanceof Uint8Array ? [body] : body) {
    let from = 0;
    for (let to = chunk.indexOf(NEWLINE); to >= 0; to = chunk.indexOf(NEWLINE, from)) {
      pieces.push(chunk.subarray(from, to));
      from = to + 1;
      const line = Buffer.concat(pieces).toString('utf8');
      pieces = [];
      if (line !== '') yield line;
    }
    if (from < chunk.length) pieces.push(chunk.subarray(from));
  }
}
