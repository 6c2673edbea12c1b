// What cases are sent to: the original or Coracle, fresh, without controllers, and with a member of system:masters to ask as.

export interface DiffServer {
  readonly name: 'reference' | 'coracle';
  /** `https://127.0.0.1:port` */
  readonly url: string;
  /** PEM. */
  readonly ca: string;
  /** Bearer token of USER. */
  readonly token: string;
  stop(): Promise<void>;
}

/** Whom both servers take the asker for. */
export const USER = { name: 'kubernetes-admin', uid: 'kubernetes-admin', groups: ['system:masters'] } as const;

/** Both have the same ranges, so that messages about them are the same. */
export const SERVICE_CIDR = '10.96.0.0/12';
