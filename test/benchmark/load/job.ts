// What the load generator is asked to do and what it says afterwards; both travel between processes as JSON.

export interface Target {
  readonly url: string;
  /** PEM. */
  readonly ca: string;
  readonly token: string;
}

/** So many requests of one kind by so many clients, each of which sends the next when the last was answered. */
export interface RequestsJob {
  readonly kind: 'requests';
  readonly method: string;
  /** `%` is replaced by a running number, as in `body`; with `wrap` by the number modulo that, and `#` by the number itself. */
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly first?: number;
  readonly wrap?: number;
  readonly count: number;
  readonly clients: number;
}

/** So many whole walks through a list in pages, by so many clients. */
export interface PagesJob {
  readonly kind: 'pages';
  readonly path: string;
  readonly limit: number;
  readonly walks: number;
  readonly clients: number;
}

/** Watches are opened, then something is written; counted is what all watchers together receive. */
export interface WatchJob {
  readonly kind: 'watch';
  readonly path: string;
  readonly watchers: number;
  readonly write: RequestsJob;
}

export type Job = RequestsJob | PagesJob | WatchJob;

export interface LoadResult {
  /** Operations: requests, pages or events. */
  readonly count: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Bytes of all answers' bodies. */
  readonly bytes: number;
  /** Processor time of the load generator itself. */
  readonly ownCpuSeconds: number;
  /** Watches that the server ended before all their events came; what they missed is not counted. */
  readonly endedWatches?: number;
}

/** Connections that share all clients. */
export const CONNECTIONS = 8;
/** Watches on a connection: kube-apiserver takes 100 streams on one, and those that it turned away count for a while. */
export const WATCHES_PER_CONNECTION = 50;

/** The body or path of one request. */
export function fill(template: string, number: number, wrap: number | undefined): string {
  return template.replaceAll('%', String(wrap === undefined ? number : number % wrap)).replaceAll('#', String(number));
}

/** The continue token near the beginning of a list, where upstream and Coracle write the list's metadata; '' on the last page. */
export function continueToken(head: string): string {
  return /"continue":"([^"]*)"/.exec(head.slice(0, head.indexOf('"items"') + 1 || undefined))?.[1] ?? '';
}
