// What is asked of the original and of Coracle alike. A case is a short sequence of requests, all of one client, in a namespace of
// its own: what it makes there meets no other case. Cases are made anew by the same code each time; only answers are recorded.

export interface DiffRequest {
  readonly method: string;
  /**
   * Path and query. `{ns}` is the case's namespace, `{id}` a word unique to the case (for cluster-scoped names), `{rv:N}` and `{uid:N}` the
   * resource version and uid in the answer to request N of the case (from 0), `{continue:N}` its continue token. The same words are replaced in
   * bodies and headers. Requests made during a watch are numbered behind it: watch N, its own N+1 …, then what follows in the case.
   */
  readonly path: string;
  /** A string is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  /** Besides Accept and Content-Type, which are JSON when they are missing; '' leaves one of them out. Authorization is the
   *  admin's token unless told; `none` is nobody's. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Prepares what follows; its answer is not compared. */
  readonly isSetUp?: boolean;
  /** Asked again until this is the status, some seconds long: for what a server does a moment later. Only of set-up. */
  readonly retryUntil?: number;
  /** A watch: read until so many events have come, or so long nothing came, or an event has `until` in its text. */
  readonly watch?: {
    readonly events: number;
    readonly until?: string;
    readonly quietMs?: number;
    /** `whileDoing` begins when an event with this in its text has come, or nothing came; without it when the watch is open. */
    readonly beginsAfter?: string;
    readonly whileDoing?: readonly DiffRequest[];
  };
  /** Answer headers that are compared here besides those that always are. A value that differs by nature is compared by presence. */
  readonly alsoHeaders?: readonly string[];
}

export type Area = 'verbs' | 'validation' | 'defaulting' | 'watch' | 'kubectl';

export interface DiffCase {
  /** Unique and stable: `area/group.version.kind/what`, in words that name the kind, the verb, the field and the fault. */
  readonly id: string;
  readonly area: Area;
  readonly requests: readonly DiffRequest[];
}
