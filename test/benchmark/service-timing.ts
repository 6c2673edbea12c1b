// How long a changed Service takes until the first connection that lands at its new endpoint, among few Services or thousands, on whatever cluster
// the client leads to.
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import { endpointslices, services } from '#generated/resources.ts';
import type { Client } from '#client/client.ts';
import { clock, until } from './cluster.ts';

const IN_FLIGHT = 64;
/** Of the filling: nobody is there. */
const NOBODY = '10.244.0.250';

export interface ServicePlace {
  /** Two addresses that answer on port 80 with the letters a and b. */
  readonly addresses: readonly [string, string];
  /** Connects to the service's address and says what answered; '' when nobody did. */
  ask(ip: string): Promise<string>;
}

export class ServiceTiming {
  readonly #client: Client;
  readonly #place: ServicePlace;
  #ip = '';
  #slice: EndpointSlice | undefined;
  #filled = 0;

  constructor(client: Client, place: ServicePlace) {
    this.#client = client;
    this.#place = place;
  }

  async start(): Promise<void> {
    const target = await this.#client
      .resource(services)
      .create({ metadata: { name: 'bench-target', namespace: 'default' }, spec: { ports: [{ port: 80 }] } });
    this.#ip = target.spec!.clusterIP!;
    this.#slice = await this.#client.resource(endpointslices).create(sliceOf('bench-target', this.#place.addresses[0]));
    await this.#lands('a');
  }

  /** Services of their own address with an endpoint each, that nobody asks. */
  async fill(count: number): Promise<void> {
    await Promise.all(
      Array.from({ length: IN_FLIGHT }, async () => {
        while (this.#filled < count) {
          const name = `bench-fill-${this.#filled++}`;
          await this.#client
            .resource(services)
            .create({ metadata: { name, namespace: 'default' }, spec: { ports: [{ port: 80 }] } });
          await this.#client.resource(endpointslices).create(sliceOf(name, NOBODY));
        }
      }),
    );
    // What is written last is in force last: then nothing of this is left to do.
    await this.#change(1);
    await this.#change(0);
  }

  /** Milliseconds of each of an even number of changes. */
  async measure(rounds: number): Promise<number[]> {
    const times: number[] = [];
    for (let i = 0; i < rounds; i++) times.push(await this.#change(i % 2 === 0 ? 1 : 0));
    return times;
  }

  async #change(to: 0 | 1): Promise<number> {
    const from = clock.monotonic();
    const endpoints = [{ addresses: [this.#place.addresses[to]], conditions: { ready: true } }];
    this.#slice = await this.#client.resource(endpointslices).update({ ...this.#slice!, endpoints });
    await this.#lands(to === 0 ? 'a' : 'b');
    return clock.monotonic() - from;
  }

  async #lands(letter: string): Promise<void> {
    await until('the service', async () => (await this.#place.ask(this.#ip)) === letter);
  }
}

const sliceOf = (service: string, address: string): EndpointSlice => ({
  metadata: { name: `${service}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': service } },
  addressType: 'IPv4',
  endpoints: [{ addresses: [address], conditions: { ready: true } }],
  ports: [{ port: 80, protocol: 'TCP', name: '' }],
});
