// Forgets UDP connections to endpoints that are gone: unlike TCP's, such clients keep sending on the old connection.
import type { Log } from '#base/log.ts';
import type { Run } from '#host/process.ts';
import type { Target } from '#netmodel/services.ts';

export interface ConntrackDeps {
  readonly run: Run;
  readonly log: Log;
}

/** Uses the conntrack program. Without it such connections live on until they are silent for the kernel's 30 to 120 s. */
export class Conntrack {
  readonly #deps: ConntrackDeps;
  #missing = false;

  constructor(deps: ConntrackDeps) {
    this.#deps = deps;
  }

  /** Never rejects. */
  async forgetUdp(targets: readonly Target[]): Promise<void> {
    for (const { ip, port } of targets) {
      if (this.#missing) return;
      const family = ip.includes(':') ? ['-f', 'ipv6'] : [];
      const args = ['-D', ...family, '-p', 'udp', '--reply-src', ip, '--reply-port-src', String(port)];
      const { code, stderr } = await this.#deps.run('conntrack', args);
      if (code === 127) {
        this.#missing = true;
        this.#deps.log.info(
          'no conntrack program: UDP clients of removed endpoints keep their connection until it is silent',
        );
      } else if (code !== 0 && !stderr.includes('0 flow entries')) this.#deps.log.warn('conntrack', { stderr });
    }
  }
}
