// /livez, /readyz, /healthz: named checks, one path each, upstream's texts.
import type { ExchangeResponse } from '#machinery/exchange.ts';
import { text } from './responses.ts';

export interface HealthCheck {
  readonly name: string;
  /** Undefined when all is well, else why not. */
  check(): string | undefined | Promise<string | undefined>;
  /** Not part of /livez: a server that is starting is alive. */
  readonly readinessOnly?: boolean;
}

export class Health {
  readonly #checks: HealthCheck[] = [];

  add(check: HealthCheck): void {
    this.#checks.push(check);
  }

  /** Undefined when the path is none of these. */
  async serve(path: string, query: URLSearchParams): Promise<ExchangeResponse | undefined> {
    const [, endpoint = '', one, more] = path.split('/');
    if ((endpoint !== 'livez' && endpoint !== 'readyz' && endpoint !== 'healthz') || more !== undefined)
      return undefined;
    const checks = this.#checks.filter((c) => endpoint !== 'livez' || c.readinessOnly !== true);
    if (one !== undefined && one !== '')
      return this.#one(
        endpoint,
        checks.find((c) => c.name === one),
      );
    const excluded = new Set(query.getAll('exclude'));
    let lines = '';
    let failed = false;
    for (const check of checks) {
      if (excluded.has(check.name)) {
        lines += `[+]${check.name} excluded: ok\n`;
        continue;
      }
      const why = await outcome(check);
      failed ||= why !== undefined;
      lines += why === undefined ? `[+]${check.name} ok\n` : `[-]${check.name} failed: reason withheld\n`;
    }
    if (failed) return text(500, `${lines}${endpoint} check failed\n`);
    return text(200, query.has('verbose') ? `${lines}${endpoint} check passed\n` : 'ok');
  }

  async #one(endpoint: string, check: HealthCheck | undefined): Promise<ExchangeResponse> {
    if (check === undefined) return text(404, '404 page not found\n');
    const why = await outcome(check);
    return why === undefined ? text(200, 'ok') : text(500, `internal server error: ${endpoint} check failed: ${why}\n`);
  }

  /** Names, for the list of paths. */
  get names(): readonly string[] {
    return this.#checks.map((c) => c.name);
  }
}

async function outcome(check: HealthCheck): Promise<string | undefined> {
  try {
    return await check.check();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
