// Runs inside a namespace for the ingress tests: endpoints of every kind, and clients of every kind. Answers calls by name.
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import grpc from '@grpc/grpc-js';
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws';

export interface EndpointOptions {
  readonly ip: string;
  readonly port: number;
  readonly name: string;
  readonly kind: 'http' | 'h2c' | 'https' | 'grpc';
  readonly pair?: { readonly certificate: string; readonly key: string };
}

export interface Ask {
  readonly ip: string;
  readonly port: number;
  readonly host: string;
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly tls?: boolean;
  /** HTTP/2: by ALPN with tls, by prior knowledge without. */
  readonly http2?: boolean;
  readonly from?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** Common name that the server showed. */
  readonly certificate?: string;
  readonly alpn?: string;
}

export interface Load {
  readonly ok: number;
  readonly failures: readonly string[];
  /** Name of the endpoint → requests it answered. */
  readonly by: Readonly<Record<string, number>>;
}

const servers = new Map<string, () => Promise<void>>();
const sockets = new Map<number, WebSocket>();
const streams = new Map<number, grpc.ClientDuplexStream<Buffer, Buffer>>();
let load: { stopped: boolean; done: Promise<Load> } | undefined;
let nextId = 1;

const echo = (text: Buffer): Buffer => text;
const service: grpc.ServiceDefinition = {
  say: {
    path: '/test.Echo/Say',
    requestStream: false,
    responseStream: false,
    requestSerialize: echo,
    requestDeserialize: echo,
    responseSerialize: echo,
    responseDeserialize: echo,
  },
  talk: {
    path: '/test.Echo/Talk',
    requestStream: true,
    responseStream: true,
    requestSerialize: echo,
    requestDeserialize: echo,
    responseSerialize: echo,
    responseDeserialize: echo,
  },
};

function handler(name: string): http.RequestListener {
  return (request, response) => {
    const url = new URL(request.url ?? '/', 'http://x');
    const chunks: Buffer[] = [];
    request.on('data', (c: Buffer) => chunks.push(c));
    request.on('end', () => {
      const body = JSON.stringify({
        name,
        url: request.url,
        version: request.httpVersion,
        headers: request.headers,
        received: Buffer.concat(chunks).length,
      });
      setTimeout(
        () => response.writeHead(200, { 'content-type': 'application/json' }).end(body),
        Number(url.searchParams.get('wait') ?? 0),
      );
    });
  };
}

const calls = {
  async serve({ ip, port, name, kind, pair }: EndpointOptions): Promise<void> {
    const key = `${ip}:${port}`;
    if (kind === 'grpc') {
      const server = new grpc.Server();
      server.addService(service, {
        say: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) =>
          done(null, Buffer.from(`${name}: ${call.request.toString()}`)),
        talk: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
          call.on('data', (d: Buffer) => call.write(Buffer.from(`${name}: ${d.toString()}`)));
          call.on('end', () => call.end());
        },
      });
      await new Promise<void>((resolve, reject) =>
        server.bindAsync(key, grpc.ServerCredentials.createInsecure(), (e) => (e === null ? resolve() : reject(e))),
      );
      servers.set(key, async () => server.forceShutdown());
      return;
    }
    const on = handler(name);
    const server =
      kind === 'h2c'
        ? http2.createServer(on as never)
        : kind === 'https'
          ? https.createServer({ cert: pair!.certificate, key: pair!.key }, on)
          : http.createServer(on);
    const held = new Set<net.Socket>();
    server.on('connection', (s: net.Socket) => {
      held.add(s);
      s.on('close', () => held.delete(s));
    });
    if (kind === 'http')
      new WebSocketServer({ server: server as http.Server }).on('connection', (ws) =>
        ws.on('message', (m) => ws.send(`${name}: ${String(m)}`)),
      );
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, ip, resolve);
    });
    servers.set(key, async () => {
      server.close();
      for (const s of held) s.destroy();
    });
  },

  /** As a pod dies: its connections with it. */
  async close(key: string): Promise<void> {
    await servers.get(key)?.();
    servers.delete(key);
  },

  ask: (ask: Ask): Promise<Answer> => (ask.http2 === true ? askHttp2(ask) : askHttp1(ask)),

  /** Sends bytes and gives what comes back: for requests that no client would make. */
  raw: ({ ip, port, text }: { ip: string; port: number; text: string }): Promise<string> =>
    new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      const socket = net.connect(port, ip, () => socket.end(text));
      socket.on('data', (c: Buffer) => chunks.push(c));
      socket.on('error', reject);
      socket.on('close', () => resolve(Buffer.concat(chunks).toString()));
    }),

  openWebSocket: ({ ip, port, host, path, secure }: Ask & { secure?: boolean }): Promise<number> =>
    new Promise((resolve, reject) => {
      // `servername` is passed on to TLS; the types do not know.
      const options: ClientOptions & { servername: string } = {
        headers: { host },
        rejectUnauthorized: false,
        servername: host,
      };
      const socket = new WebSocket(`${secure === true ? 'wss' : 'ws'}://${ip}:${port}${path}`, options);
      socket.on('open', () => {
        sockets.set(nextId, socket);
        resolve(nextId++);
      });
      socket.on('error', reject);
    }),

  say: ({ id, text }: { id: number; text: string }): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = sockets.get(id)!;
      if (socket.readyState !== WebSocket.OPEN) return reject(new Error('the WebSocket is closed'));
      socket.once('message', (m) => resolve(String(m)));
      socket.once('close', () => reject(new Error('the WebSocket was closed')));
      socket.send(text);
    }),

  async grpcUnary({ ip, port, host, text }: { ip: string; port: number; host: string; text: string }): Promise<string> {
    const client = grpcClient(ip, port, host);
    try {
      return await new Promise<string>((resolve, reject) => {
        const done = (error: grpc.ServiceError | null, value?: Buffer): void =>
          error === null ? resolve(value!.toString()) : reject(error);
        const options = { deadline: Date.now() + 5000 };
        client.makeUnaryRequest('/test.Echo/Say', echo, echo, Buffer.from(text), new grpc.Metadata(), options, done);
      });
    } finally {
      client.close();
    }
  },

  async openTalk({ ip, port, host }: { ip: string; port: number; host: string }): Promise<number> {
    const stream = grpcClient(ip, port, host).makeBidiStreamRequest('/test.Echo/Talk', echo, echo);
    stream.on('error', () => {});
    streams.set(nextId, stream);
    return nextId++;
  },

  talk: ({ id, text }: { id: number; text: string }): Promise<string> =>
    new Promise((resolve, reject) => {
      const stream = streams.get(id)!;
      stream.once('data', (d: Buffer) => resolve(d.toString()));
      stream.once('error', reject);
      stream.write(Buffer.from(text));
    }),

  /** Asks without pause from several connections, kept alive and new ones in turn, until `stopLoad`. */
  async startLoad({ ask, clients }: { ask: Ask; clients: number }): Promise<void> {
    const state = { stopped: false };
    const failures: string[] = [];
    const by: Record<string, number> = {};
    let ok = 0;
    const one = async (index: number): Promise<void> => {
      const agent = new http.Agent({ keepAlive: index % 2 === 0, maxSockets: 1 });
      const session = index % 4 === 1 ? http2.connect(`http://${ask.ip}:${ask.port}`) : undefined;
      session?.on('error', () => {});
      let current = session;
      let refused = false;
      while (!state.stopped) {
        try {
          if (current !== undefined && (current.closed || current.destroyed)) {
            current = http2.connect(`http://${ask.ip}:${ask.port}`);
            current.on('error', () => {});
          }
          const answer = current === undefined ? await askHttp1(ask, agent) : await http2Request(current, ask);
          refused = false;
          if (answer.status === 200) {
            ok++;
            const { name } = JSON.parse(answer.body) as { name: string };
            by[name] = (by[name] ?? 0) + 1;
          } else failures.push(`${answer.status} ${answer.body}`);
        } catch (error) {
          // RFC 9113 8.7: such a request was not processed, and clients send it again on another connection.
          if (/REFUSED_STREAM/.test((error as Error).message) && !refused) {
            refused = true;
            current?.close();
            continue;
          }
          failures.push(`${current === undefined ? 'h1' : 'h2'} ${(error as Error).message}`);
        }
      }
      agent.destroy();
      current?.close();
    };
    load = Object.assign(state, {
      done: Promise.all(Array.from({ length: clients }, (_, i) => one(i))).then(() => ({ ok, failures, by })),
    });
  },

  stopLoad(): Promise<Load> {
    load!.stopped = true;
    return load!.done;
  },
};

function grpcClient(ip: string, port: number, host: string): grpc.Client {
  return new grpc.Client(`${ip}:${port}`, grpc.credentials.createInsecure(), { 'grpc.default_authority': host });
}

function askHttp1(ask: Ask, agent?: http.Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options: https.RequestOptions = {
      host: ask.ip,
      port: ask.port,
      path: ask.path,
      method: ask.method ?? 'GET',
      headers: { host: ask.host, ...ask.headers },
      ...(ask.from === undefined ? {} : { localAddress: ask.from }),
      ...(agent === undefined ? { agent: false } : { agent }),
      ...(ask.tls === true ? { servername: ask.host, rejectUnauthorized: false } : {}),
    };
    const request = (ask.tls === true ? https : http).request(options, (response) => {
      const chunks: Buffer[] = [];
      const socket = response.socket as tls.TLSSocket;
      const certificate = ask.tls === true ? socket.getPeerCertificate().subject?.CN : undefined;
      response.on('data', (c: Buffer) => chunks.push(c));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
          ...(certificate === undefined ? {} : { certificate: String(certificate) }),
        }),
      );
    });
    request.on('error', reject);
    request.end(ask.body);
  });
}

async function askHttp2(ask: Ask): Promise<Answer> {
  const session = http2.connect(`${ask.tls === true ? 'https' : 'http'}://${ask.ip}:${ask.port}`, {
    rejectUnauthorized: false,
    servername: ask.host,
  });
  const failed = new Promise<never>((_, reject) => session.on('error', reject));
  try {
    const answer = await Promise.race([http2Request(session, ask), failed]);
    const socket = session.socket as tls.TLSSocket;
    return ask.tls === true
      ? { ...answer, certificate: String(socket.getPeerCertificate().subject?.CN), alpn: String(session.alpnProtocol) }
      : answer;
  } finally {
    session.close();
  }
}

function http2Request(session: http2.ClientHttp2Session, ask: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': ask.method ?? 'GET',
      ':path': ask.path,
      ':authority': ask.host,
      ...ask.headers,
    });
    const chunks: Buffer[] = [];
    let headers: http2.IncomingHttpHeaders & { ':status'?: number } = {};
    stream.on('response', (h) => (headers = h));
    stream.on('data', (c: Buffer) => chunks.push(c));
    stream.on('error', reject);
    stream.on('end', () =>
      resolve({ status: headers[':status'] ?? 0, headers, body: Buffer.concat(chunks).toString() }),
    );
    stream.end(ask.body);
  });
}

export type Calls = typeof calls;

process.on('message', (message: { id: number; call: keyof Calls; argument: never }) => {
  const done = Promise.resolve().then(() => (calls[message.call] as (a: never) => unknown)(message.argument));
  done.then(
    (value) => process.send!({ id: message.id, value }),
    (error: Error) => process.send!({ id: message.id, failed: error.message }),
  );
});
process.on('disconnect', () => process.exit(0));
