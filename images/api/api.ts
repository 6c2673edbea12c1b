// The article's api: HTTP on :8000, orders in the database behind the pooler on localhost, its log in a file that a
// sidecar ships. Configuration comes from the environment and from /etc/app/config.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { hostname } from 'node:os';
import pg from 'pg';

const LOG_FILE = process.env['LOG_FILE'] ?? '/var/log/app/api.log';
const CONFIG_FILE = '/etc/app/config/greeting';
/** A request that takes longer has lost its database. */
const QUERY_TIMEOUT_MS = 5_000;

const pool = new pg.Pool({
  host: process.env['DB_HOST'] ?? 'localhost',
  port: Number(process.env['DB_PORT'] ?? 6432),
  database: process.env['DB_NAME'] ?? 'production',
  user: process.env['DB_USER'] ?? 'app',
  password: process.env['DB_PASSWORD'],
  max: 4,
  connectionTimeoutMillis: QUERY_TIMEOUT_MS,
  query_timeout: QUERY_TIMEOUT_MS,
});
pool.on('error', (error) => log(`database connection lost: ${error.message}`));

function log(line: string): void {
  const text = `${new Date().toISOString()} ${hostname()} ${line}\n`;
  process.stdout.write(text);
  appendFileSync(LOG_FILE, text);
}

/** Path → what answers it. */
const routes: Readonly<Record<string, (request: IncomingMessage) => Promise<{ status: number; body: unknown }>>> = {
  'GET /livez': async () => ({ status: 200, body: 'ok' }),
  'GET /healthz': async () => {
    await pool.query('SELECT 1');
    return { status: 200, body: 'ok' };
  },
  'GET /': async () => ({
    status: 200,
    body: { pod: hostname(), greeting: existsSync(CONFIG_FILE) ? readFileSync(CONFIG_FILE, 'utf8').trim() : null },
  }),
  'GET /orders': async () => {
    const { rows } = await pool.query(
      'SELECT id, customer_id, total_cents, created_at FROM orders ORDER BY id DESC LIMIT 50',
    );
    return { status: 200, body: rows };
  },
  'POST /orders': async (request) => {
    const order = JSON.parse(await read(request)) as { customer_id?: unknown; total_cents?: unknown };
    if (!Number.isInteger(order.customer_id) || !Number.isInteger(order.total_cents))
      return { status: 422, body: { error: 'customer_id and total_cents must be whole numbers' } };
    const { rows } = await pool.query('INSERT INTO orders (customer_id, total_cents) VALUES ($1, $2) RETURNING id', [
      order.customer_id,
      order.total_cents,
    ]);
    return { status: 201, body: rows[0] };
  },
};

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = new URL(request.url ?? '/', 'http://api').pathname;
  const route = routes[`${request.method} ${path}`];
  let answer: { status: number; body: unknown };
  try {
    answer =
      route === undefined ? { status: 404, body: { error: `no ${request.method} ${path}` } } : await route(request);
  } catch (error) {
    answer = { status: 503, body: { error: (error as Error).message } };
  }
  if (path !== '/livez' && path !== '/healthz') log(`${request.method} ${path} ${answer.status}`);
  response.writeHead(answer.status, { 'content-type': 'application/json' }).end(`${JSON.stringify(answer.body)}\n`);
}

const server = createServer((request, response) => void handle(request, response));
server.listen(8000, () => log('listening on :8000'));
process.on('SIGTERM', () => {
  log('stopping');
  server.close(() => void pool.end().then(() => process.exit(0)));
  server.closeIdleConnections();
});
