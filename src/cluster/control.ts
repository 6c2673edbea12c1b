// How commands talk to the running supervisor: small JSON requests over HTTP on a unix socket that only the owner of the
// data directory may open.
import { chmodSync, rmSync } from 'node:fs';
import http from 'node:http';
import { describeError } from '#base/log.ts';
import { UserError } from './errors.ts';

/** Command name → what the supervisor does with its arguments. */
export type ControlHandlers = Readonly<Record<string, (args: Readonly<Record<string, unknown>>) => Promise<unknown>>>;

/** Unix socket paths are limited to 107 bytes. */
export const MAX_SOCKET_PATH = 107;

export function serveControl(socket: string, handlers: ControlHandlers): Promise<{ close(): Promise<void> }> {
  rmSync(socket, { force: true });
  const server = http.createServer((request, response) => {
    const name = (request.url ?? '/').slice(1);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const handler = handlers[name];
      const answer = (status: number, body: unknown) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body ?? null));
      if (handler === undefined) return answer(404, { message: `unknown command ${name}` });
      const text = Buffer.concat(chunks).toString('utf8');
      handler(text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)).then(
        (value) => answer(200, value),
        (error: unknown) => answer(500, { message: describeError(error) }),
      );
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, () => {
      chmodSync(socket, 0o600);
      resolve({
        close: () =>
          new Promise((done) => {
            server.closeAllConnections();
            server.close(() => done());
          }),
      });
    });
  });
}

/** Undefined when no supervisor listens. Throws UserError with the supervisor's sentence when it could not do it. */
export function callControl<R>(
  socket: string,
  name: string,
  args: Readonly<Record<string, unknown>> = {},
  timeoutMs = 60_000,
): Promise<R | undefined> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { socketPath: socket, path: `/${name}`, method: 'POST', timeout: timeoutMs },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as R & { message?: string };
          if (response.statusCode === 200) resolve(body);
          else reject(new UserError(body.message ?? `the supervisor answered ${response.statusCode}`));
        });
      },
    );
    request.on('timeout', () =>
      request.destroy(new UserError(`the supervisor did not finish "${name}" within ${timeoutMs / 1000} s`)),
    );
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined);
      else reject(error);
    });
    request.end(JSON.stringify(args));
  });
}
