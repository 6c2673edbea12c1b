// What `coracle why` answers: the links of the chain with their states, the one cause, and its cure. The JSON output is this shape.

/** The chain in the order it is walked. Names are stable: scripts match on them. */
export const LINKS = [
  'position',
  'name',
  'address',
  'route',
  'service',
  'endpoint',
  'egress-policy',
  'load-balancer',
  'ingress-policy',
  'pod',
  'listener',
  'tls',
  'handshake',
  'authentication',
  'database',
  'storage',
] as const;
export type LinkName = (typeof LINKS)[number];

export type LinkState = 'ok' | 'broken' | 'warned' | 'unknown' | 'not checked';

/** One thing that was read, as text that a user can check: where it was read, and what stood there. */
export interface Evidence {
  /** An object's field, `nft table/chain`, `sockets of pod db/postgres-0`, `probe from pod app/api-…`, `log of …`. */
  readonly source: string;
  readonly text: string;
}

export interface ObjectField {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  /** As in `spec.ports[0].targetPort`. */
  readonly field?: string;
}

/** `command` can be pasted into a shell, `manifest` into kubectl apply -f -. */
export interface Cure {
  readonly kind: 'command' | 'manifest' | 'note';
  readonly text: string;
}

export interface Cause {
  /** One of `codes.ts`. */
  readonly code: string;
  readonly link: LinkName;
  readonly object?: ObjectField;
  /** One sentence. */
  readonly message: string;
  readonly evidence: readonly Evidence[];
  readonly cure: readonly Cure[];
}

export interface Link {
  readonly name: LinkName;
  readonly state: LinkState;
  readonly detail: string;
  readonly evidence: readonly Evidence[];
}

export interface NotChecked {
  readonly link: LinkName;
  readonly reason: string;
}

export interface Report {
  readonly verdict: 'ok' | 'broken' | 'unknown';
  readonly cause?: Cause;
  /** Independent of the cause: they would remain after its cure. */
  readonly alsoBroken: readonly Cause[];
  readonly warnings: readonly Cause[];
  readonly links: readonly Link[];
  readonly notChecked: readonly NotChecked[];
}
