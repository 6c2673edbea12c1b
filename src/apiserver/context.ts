// One request on its way through the pipeline: what is known of it, and what it gathers for its answer.
import { formatTime } from '#machinery/time.ts';
import type { ExchangeRequest, UserInfo } from '#machinery/exchange.ts';
import type { RequestInfo } from './pipeline.ts';

export class RequestContext {
  /** Replaced once, when its body is turned into JSON. */
  request: ExchangeRequest;
  readonly info: RequestInfo;
  readonly auditId: string;
  /** Wall clock at arrival. */
  readonly nowMs: number;
  user: UserInfo;
  /** Set when the user acts as another. */
  originalUser: UserInfo | undefined = undefined;
  #warnings: string[] | undefined;
  #annotations: Record<string, string> | undefined;

  constructor(request: ExchangeRequest, info: RequestInfo, auditId: string, nowMs: number, user: UserInfo) {
    this.request = request;
    this.info = info;
    this.auditId = auditId;
    this.nowMs = nowMs;
    this.user = user;
  }

  /** Texts of Warning headers, each once. */
  get warnings(): readonly string[] {
    return this.#warnings ?? NONE;
  }

  warn(text: string): void {
    this.#warnings ??= [];
    if (!this.#warnings.includes(text)) this.#warnings.push(text);
  }

  get annotations(): Readonly<Record<string, string>> {
    return this.#annotations ?? NO_ANNOTATIONS;
  }

  annotate(key: string, value: string): void {
    (this.#annotations ??= {})[key] = value;
  }

  /** The request's time as metadata timestamps have it: whole seconds, UTC. */
  get nowText(): string {
    return rfc3339(this.nowMs);
  }
}

const NONE: readonly string[] = Object.freeze([]);
const NO_ANNOTATIONS: Readonly<Record<string, string>> = Object.freeze({});

let lastSecond = -1;
let lastText = '';

/** Memoised by the second: most requests of a busy server share it. */
export function rfc3339(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastText = formatTime(ms);
  }
  return lastText;
}
