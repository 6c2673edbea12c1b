// The four ways to ask a container how it is: exec, HTTP, TCP, gRPC. They run in the node's network namespace, as the agent does.
import { Client as GrpcClient, credentials, Metadata } from '@grpc/grpc-js';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import type { HTTPGetAction } from '#generated/api/core-v1.ts';
import type { AnyContainer } from '../pods/containers.ts';

export interface ProbeResult {
  readonly ok: boolean;
  readonly output: string;
}

/** Upstream reads no more of an answer. */
const BODY_MAX_BYTES = 10 * 1024;

/** A port by number or by the container's name for it; undefined when there is none of that name. */
export function resolvePort(container: AnyContainer, port: number | string): number | undefined {
  if (typeof port === 'number') return port;
  const named = container.ports?.find((p) => p.name === port)?.containerPort;
  if (named !== undefined) return named;
  const number = Number(port);
  return Number.isInteger(number) && number > 0 && number < 65_536 ? number : undefined;
}

export function httpProbe(
  action: HTTPGetAction,
  podIP: string,
  port: number | undefined,
  timeoutMs: number,
): Promise<ProbeResult> {
  if (port === undefined) return Promise.resolve({ ok: false, output: `couldn't find port: ${action.port}` });
  const host = action.host === undefined || action.host === '' ? podIP : action.host;
  const scheme = (action.scheme ?? 'HTTP').toLowerCase();
  const path =
    action.path === undefined || action.path === ''
      ? '/'
      : action.path.startsWith('/')
        ? action.path
        : `/${action.path}`;
  const url = `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
  const headers: Record<string, string> = { 'User-Agent': 'kube-probe/1.36', Accept: '*/*', Connection: 'close' };
  for (const header of action.httpHeaders ?? []) headers[header.name] = header.value;
  return new Promise((resolve) => {
    const fail = (why: string) => resolve({ ok: false, output: `Get ${JSON.stringify(url)}: ${why}` });
    const options = {
      method: 'GET',
      headers,
      agent: false as const,
      rejectUnauthorized: false,
      signal: AbortSignal.timeout(timeoutMs),
    };
    const request = (scheme === 'https' ? https : http).request(url, options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const done = () => {
        const status = response.statusCode ?? 0;
        const body = Buffer.concat(chunks).toString('utf8');
        // Redirects to another host are a success with a warning upstream; within the host they are followed there. Here both count as answers.
        resolve(
          status >= 200 && status < 400
            ? { ok: true, output: body }
            : { ok: false, output: `HTTP probe failed with statuscode: ${status}` },
        );
      };
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= BODY_MAX_BYTES) chunks.push(chunk);
        else {
          response.destroy();
          done();
        }
      });
      response.on('end', done);
      response.on('error', (error) => fail(error.message));
    });
    request.on('error', (error: NodeJS.ErrnoException) => fail(describeSocketError(error, host, port)));
    request.end();
  });
}

export function tcpProbe(host: string, port: number | undefined, timeoutMs: number): Promise<ProbeResult> {
  if (port === undefined) return Promise.resolve({ ok: false, output: `couldn't find port` });
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, signal: AbortSignal.timeout(timeoutMs) });
    socket.on('connect', () => {
      socket.destroy();
      resolve({ ok: true, output: '' });
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const output = isTimeout(error)
        ? `dial tcp ${host.includes(':') ? `[${host}]` : host}:${port}: i/o timeout`
        : describeSocketError(error, host, port);
      resolve({ ok: false, output });
    });
  });
}

const isTimeout = (error: NodeJS.ErrnoException): boolean =>
  error.name === 'AbortError' || error.name === 'TimeoutError' || error.code === 'ABORT_ERR';

function describeSocketError(error: NodeJS.ErrnoException, host: string, port: number): string {
  const where = `dial tcp ${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (isTimeout(error)) return `context deadline exceeded (Client.Timeout exceeded while awaiting headers)`;
  if (error.code === 'ECONNREFUSED') return `${where}: connect: connection refused`;
  if (error.code === 'EHOSTUNREACH') return `${where}: connect: no route to host`;
  if (error.code === 'ECONNRESET') return `read tcp ${host}:${port}: read: connection reset by peer`;
  return `${where}: ${error.message}`;
}

/** grpc.health.v1.Health/Check. The two messages are so small that they are written by hand: field 1 a string, field 1 an enum. */
export function grpcProbe(
  host: string,
  port: number,
  service: string,
  timeoutMs: number,
  nowMs: number,
): Promise<ProbeResult> {
  const client = new GrpcClient(`${host.includes(':') ? `[${host}]` : host}:${port}`, credentials.createInsecure());
  const name = Buffer.from(service);
  const request = service === '' ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      (b: Buffer) => b,
      (b: Buffer) => b,
      request,
      new Metadata(),
      { deadline: nowMs + timeoutMs },
      (error, answer) => {
        client.close();
        if (error !== null) {
          const words =
            error.code === 12
              ? 'this server does not implement the grpc health protocol (grpc.health.v1.Health)'
              : error.code === 4
                ? `timeout: health rpc did not complete within ${timeoutMs / 1000}s`
                : error.details;
          return resolve({ ok: false, output: `error: ${words}` });
        }
        const status = answer !== undefined && answer.length >= 2 && answer[0] === 0x08 ? answer[1]! : 0;
        resolve(
          status === 1
            ? { ok: true, output: 'service healthy' }
            : {
                ok: false,
                output: `service unhealthy (responded with ${JSON.stringify(['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'][status] ?? String(status))})`,
              },
        );
      },
    );
  });
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  return [...bytes, left];
}
