// A proxy in memory for tests: what it was told, and how it answers.
import type { ProxyConfiguration } from '#netmodel/ingress-haproxy.ts';
import type { Proxy } from './haproxy.ts';

export class FakeProxy implements Proxy {
  configuration: ProxyConfiguration | undefined;
  /** Every new process. */
  readonly starts: ProxyConfiguration[] = [];
  readonly commands: string[] = [];
  /** What is wrong with a configuration. */
  complain: (configuration: ProxyConfiguration) => string | undefined = () => undefined;
  /** What a new process waits for. */
  slow: Promise<void> | undefined;
  /** Thrown by the next call that reaches the program. */
  failure: Error | undefined;

  async check(configuration: ProxyConfiguration): Promise<string | undefined> {
    this.#fail();
    return this.complain(configuration);
  }

  async replace(configuration: ProxyConfiguration): Promise<void> {
    this.#fail();
    await this.slow;
    this.starts.push(configuration);
    this.configuration = configuration;
  }

  async command(commands: readonly string[], configuration: ProxyConfiguration): Promise<void> {
    this.#fail();
    this.commands.push(...commands);
    this.configuration = configuration;
  }

  running(): string | undefined {
    return this.configuration?.text;
  }

  async stop(): Promise<void> {
    this.configuration = undefined;
  }

  #fail(): void {
    const failure = this.failure;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
  }
}
