// A small receiver with Loki's push endpoint: keeps the newest lines in memory and prints them.
import { createServer } from 'node:http';

const KEPT_LINES = 10_000;
interface Push {
  readonly streams: readonly {
    readonly stream: Readonly<Record<string, string>>;
    readonly values: readonly (readonly [string, string])[];
  }[];
}
const lines: { pod: string; line: string }[] = [];

const server = createServer((request, response) => {
  const path = new URL(request.url ?? '/', 'http://loki').pathname;
  if (request.method === 'GET' && path === '/ready') return response.end('ready\n');
  if (request.method === 'GET' && path === '/lines')
    return response.end(lines.map((l) => `${l.pod} ${l.line}\n`).join(''));
  if (request.method !== 'POST' || path !== '/loki/api/v1/push') return response.writeHead(404).end();
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    let push: Push;
    try {
      push = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Push;
    } catch {
      return response.writeHead(400).end('not JSON\n');
    }
    for (const { stream, values } of push.streams ?? []) {
      for (const [, line] of values) {
        lines.push({ pod: stream['pod'] ?? '', line });
        console.log(`${stream['pod']} ${line}`);
      }
    }
    lines.splice(0, Math.max(0, lines.length - KEPT_LINES));
    return response.writeHead(204).end();
  });
  return undefined;
});
server.listen(3100, () => console.log('listening on :3100'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
