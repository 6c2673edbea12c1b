// A log shipper: follows a file on a shared volume and posts its new lines to a Loki-shaped receiver. A line is
// forgotten only when the receiver has taken it.
import { existsSync, openSync, readSync, closeSync, statSync } from 'node:fs';
import { hostname } from 'node:os';

const FILE = process.env['LOG_FILE'] ?? '/var/log/app/api.log';
const URL_TO = process.env['LOKI_URL'] ?? 'http://loki.app.svc.cluster.local:3100/loki/api/v1/push';
const PAUSE_MS = 500;
const CHUNK_BYTES = 256 * 1024;

/** Bytes of the file that the receiver has taken. */
let shipped = 0;

async function round(): Promise<void> {
  if (!existsSync(FILE)) return;
  const size = statSync(FILE).size;
  if (size < shipped) shipped = 0;
  if (size === shipped) return;
  const buffer = Buffer.alloc(Math.min(size - shipped, CHUNK_BYTES));
  const file = openSync(FILE, 'r');
  const got = readSync(file, buffer, 0, buffer.length, shipped);
  closeSync(file);
  const end = buffer.subarray(0, got).lastIndexOf(10);
  if (end < 0) return;
  const lines = buffer.subarray(0, end).toString('utf8').split('\n');
  const now = BigInt(Date.now()) * 1_000_000n;
  const values = lines.map((line, i) => [String(now + BigInt(i)), line]);
  const answer = await fetch(URL_TO, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ streams: [{ stream: { job: 'api', pod: hostname() }, values }] }),
    signal: AbortSignal.timeout(5_000),
  });
  if (!answer.ok) throw new Error(`the receiver answered ${answer.status}`);
  shipped += end + 1;
}

process.on('SIGTERM', () => process.exit(0));
console.log(`shipping ${FILE} to ${URL_TO}`);
for (;;) {
  await round().catch((error: Error) => console.log(`not shipped, will try again: ${error.message}`));
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
