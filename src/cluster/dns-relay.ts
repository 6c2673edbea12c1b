// Names that are not the cluster's, asked of the machine's own resolver: a relay on the switch, because the resolver may
// listen on loopback only. Datagrams and streams are passed on as they are.
import { createSocket, type Socket } from 'node:dgram';
import { connect, createServer, type Server } from 'node:net';
import type { Clock } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import type { Log } from '#base/log.ts';
import { parseIP } from '#base/ip.ts';
import { readTextIfExists } from '#host/files.ts';
import { createAsk } from '#network/dns/sockets.ts';
import { parseResolvConf } from '#netmodel/resolv-conf.ts';

/** Not 53: a resolver of the machine may hold that port on every address. */
export const DNS_RELAY_PORT = 10_053;
const RESOLV_CONF = '/etc/resolv.conf';
const DNS_PORT = 53;

/** `address:port` of the machine's resolvers. */
export function upstreamsOf(resolvConf: string): readonly string[] {
  const { servers } = parseResolvConf(resolvConf);
  return servers.filter((address) => parseIP(address)?.family === 4).map((address) => `${address}:${DNS_PORT}`);
}

export class DnsRelay implements Component {
  readonly name = 'dns-relay';
  readonly #address: string;
  readonly #log: Log;
  readonly #ask: ReturnType<typeof createAsk>;
  #udp: Socket | undefined;
  #tcp: Server | undefined;

  constructor(address: string, deps: { readonly clock: Clock; readonly log: Log }) {
    this.#address = address;
    this.#log = deps.log;
    this.#ask = createAsk(deps.clock);
  }

  async start(): Promise<void> {
    const udp = createSocket('udp4');
    this.#udp = udp;
    udp.on('message', (query, from) => {
      void this.#relay(query).then((answer) => {
        if (answer !== undefined && this.#udp !== undefined) udp.send(answer, from.port, from.address);
      });
    });
    await new Promise<void>((resolve, reject) => {
      udp.once('error', reject);
      udp.bind(DNS_RELAY_PORT, this.#address, () => {
        udp.off('error', reject);
        udp.on('error', (error) => this.#log.warn('relay failed', { error }));
        resolve();
      });
    });
    const tcp = createServer((client) => {
      const upstream = this.#upstreams()[0];
      if (upstream === undefined) return client.destroy();
      const [host, port] = upstream.split(':');
      const server = connect(Number(port), host!);
      client.on('error', () => server.destroy());
      server.on('error', () => client.destroy());
      client.pipe(server).pipe(client);
      return undefined;
    });
    this.#tcp = tcp;
    await new Promise<void>((resolve, reject) => {
      tcp.once('error', reject);
      tcp.listen(DNS_RELAY_PORT, this.#address, () => resolve());
    });
  }

  async stop(): Promise<void> {
    this.#udp?.close();
    this.#udp = undefined;
    this.#tcp?.close();
    this.#tcp = undefined;
  }

  /** Read at each question: laptops change networks. */
  #upstreams(): readonly string[] {
    return upstreamsOf(readTextIfExists(RESOLV_CONF) ?? '');
  }

  async #relay(query: Uint8Array): Promise<Uint8Array | undefined> {
    for (const upstream of this.#upstreams()) {
      const answer = await this.#ask(upstream, query, 'udp').catch(() => undefined);
      if (answer !== undefined) return answer;
    }
    return undefined;
  }
}
