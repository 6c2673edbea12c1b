// What `coracle connect` is asked for: `svc/NAME`, `pod/NAME`, `deploy/NAME`, `sts/NAME`, and pairs `[[LOCAL]:]REMOTE`.

export interface ConnectTarget {
  readonly kind: 'service' | 'pod' | 'deployment' | 'statefulset';
  readonly name: string;
}

export interface PortPair {
  /** 0: any free one. */
  readonly local: number;
  /** A number, or a port's name. */
  readonly remote: string;
}

/** What the user wrote cannot be understood; the message says what is allowed. */
export class ConnectUsageError extends Error {
  readonly code = 'ConnectUsage';
}

const KINDS: Readonly<Record<string, ConnectTarget['kind']>> = {
  svc: 'service',
  service: 'service',
  services: 'service',
  po: 'pod',
  pod: 'pod',
  pods: 'pod',
  deploy: 'deployment',
  deployment: 'deployment',
  deployments: 'deployment',
  sts: 'statefulset',
  statefulset: 'statefulset',
  statefulsets: 'statefulset',
};

export function parseConnectTarget(text: string): ConnectTarget {
  const [kind, name, more] = text.split('/');
  const known = Object.hasOwn(KINDS, kind!.toLowerCase()) ? KINDS[kind!.toLowerCase()] : undefined;
  if (known === undefined || name === undefined || name === '' || more !== undefined)
    throw new ConnectUsageError(`${JSON.stringify(text)} is none of svc/NAME, pod/NAME, deploy/NAME, sts/NAME`);
  return { kind: known, name };
}

const PORT_NAME = /^(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/;

/** `5432` is the same port here, `:5432` any free one, `15432:5432` that one. */
export function parsePortPair(text: string): PortPair {
  const [first, second, more] = text.split(':');
  const remote = second ?? first!;
  const isNumber = /^\d+$/.test(remote);
  if (more !== undefined || !(isNumber ? isPort(Number(remote)) : PORT_NAME.test(remote)))
    throw new ConnectUsageError(
      `${JSON.stringify(text)} is none of REMOTE, LOCAL:REMOTE, :REMOTE with ports 1 to 65535 or a port’s name`,
    );
  if (second === undefined) return { local: isNumber ? Number(remote) : 0, remote };
  if (first === '') return { local: 0, remote };
  if (!/^\d+$/.test(first!) || Number(first) > 65_535)
    throw new ConnectUsageError(`${JSON.stringify(text)}: the local port is a number from 0 to 65535`);
  return { local: Number(first), remote };
}

const isPort = (port: number): boolean => port >= 1 && port <= 65_535;
