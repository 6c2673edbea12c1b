// An aggregated API server of our own: TLS, believes X-Remote-* headers only with a certificate of the front-proxy authority, and
// serves one resource in one group and version. What else it serves are handlers of the test.
import { createHash } from 'node:crypto';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { text } from 'node:stream/consumers';
import { createAuthority, createLeaf } from '#pki/certificates.ts';
import type { CertificatePair } from '#pki/keys.ts';

export interface ExtensionOptions {
  readonly group: string;
  readonly version: string;
  /** As in an APIResourceList. */
  readonly resources: readonly object[];
  /** `NAME.NAMESPACE.svc` in its certificate. */
  readonly serverName: string;
  readonly frontProxyCa: string;
  /** What stands below /apis/GROUP/VERSION/. */
  handle(request: Seen, response: ServerResponse): void;
}

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Common name of the client's certificate. */
  readonly client: string;
  readonly body: string;
}

export class ExtensionServer {
  readonly #options: ExtensionOptions;
  readonly #server: https.Server;
  readonly port: number;
  /** PEM of the authority of its certificate. */
  readonly authority: string;
  /** Requests for its own resource. */
  readonly seen: Seen[] = [];

  private constructor(options: ExtensionOptions, server: https.Server, authority: string) {
    this.#options = options;
    this.#server = server;
    this.authority = authority;
    this.port = (server.address() as AddressInfo).port;
  }

  static async start(options: ExtensionOptions): Promise<ExtensionServer> {
    const now = Date.now();
    const authority = await createAuthority(`authority of ${options.serverName}`, now);
    const pair: CertificatePair = await createLeaf(authority, {
      commonName: 'extension',
      extendedUsages: ['server auth'],
      names: { dnsNames: [options.serverName], ipAddresses: [] },
      notBeforeMs: now - 60_000,
      notAfterMs: now + 3_600_000,
    });
    const server = https.createServer({
      cert: pair.certificate,
      key: pair.key,
      ca: options.frontProxyCa,
      requestCert: true,
      rejectUnauthorized: true,
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const extension = new ExtensionServer(options, server, authority.certificate);
    server.on('request', (message: IncomingMessage, response) => void extension.#serve(message, response));
    server.on('upgrade', (message: IncomingMessage, socket) => {
      extension.seen.push(seen(message, ''));
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      socket.on('error', () => {});
      socket.pipe(socket);
    });
    return extension;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const { group, version, resources } = this.#options;
    const path = message.url!.split('?')[0]!;
    const own = `/apis/${group}/${version}`;
    const json = (value: unknown) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(value));
    };
    if (path.startsWith(`${own}/`)) {
      const request = seen(message, await text(message));
      this.seen.push(request);
      this.#options.handle(request, response);
    } else if (path === own) {
      json({ kind: 'APIResourceList', apiVersion: 'v1', groupVersion: `${group}/${version}`, resources });
    } else if (path === '/openapi/v3') {
      const hash = createHash('sha256').update(JSON.stringify(this.#openApi())).digest('hex');
      json({ paths: { [own.slice(1)]: { serverRelativeURL: `/openapi/v3${own}?hash=${hash}` } } });
    } else if (path === `/openapi/v3${own}`) {
      json(this.#openApi());
    } else {
      response.statusCode = 404;
      response.end();
    }
  }

  #openApi(): object {
    const { group, version } = this.#options;
    const name = `example.${version}.Thing`;
    return {
      openapi: '3.0.0',
      info: { title: 'extension', version: '1' },
      paths: { [`/apis/${group}/${version}/`]: { get: { responses: { 200: { description: 'OK' } } } } },
      components: {
        schemas: {
          [name]: {
            type: 'object',
            description: 'a thing of another server',
            'x-kubernetes-group-version-kind': [{ group, version, kind: 'Thing' }],
          },
        },
      },
    };
  }
}

const seen = (message: IncomingMessage, body: string): Seen => ({
  method: message.method!,
  url: message.url!,
  headers: message.headers,
  client: String((message.socket as TLSSocket).getPeerCertificate().subject.CN),
  body,
});
