// Sockets of a network namespace, from the text of /proc/PID/net/{tcp,tcp6,udp,udp6} (proc(5)) and of ss, which knows two things more:
// whether an IPv6 wildcard takes IPv4, and how many connections may wait.
import { formatIP } from '#base/ip.ts';
import type { ListeningSocket, PodFacts } from './facts.ts';

export interface SocketRow {
  readonly protocol: 'tcp' | 'udp';
  readonly family: 4 | 6;
  readonly address: string;
  readonly port: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly state: string;
  readonly inode: string;
  readonly receiveQueue: number;
}

/** include/net/tcp_states.h */
const STATES = [
  '',
  'ESTABLISHED',
  'SYN-SENT',
  'SYN-RECV',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'TIME-WAIT',
  'CLOSE',
  'CLOSE-WAIT',
  'LAST-ACK',
  'LISTEN',
  'CLOSING',
] as const;
const MAX_CONNECTIONS = 200;

export function parseProcNet(protocol: 'tcp' | 'udp', family: 4 | 6, text: string): readonly SocketRow[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local, remote, state, queues, , , , , inode] = line.trim().split(/\s+/);
      if (local === undefined || remote === undefined || inode === undefined) return [];
      const [address, port] = endpoint(local);
      const [remoteAddress, remotePort] = endpoint(remote);
      return [
        {
          protocol,
          family,
          address,
          port,
          remoteAddress,
          remotePort,
          state: STATES[Number.parseInt(state!, 16)] ?? state!,
          inode,
          receiveQueue: Number.parseInt(queues!.split(':')[1]!, 16),
        },
      ];
    });
}

/** `0100007F:1538`: words of four bytes in the machine's order (little endian here and on all that Node runs on). */
function endpoint(text: string): readonly [string, number] {
  const [hex, port] = text.split(':') as [string, string];
  let value = 0n;
  for (let at = 0; at < hex.length; at += 8) {
    const word = hex.slice(at, at + 8);
    for (let byte = 3; byte >= 0; byte--) value = (value << 8n) | BigInt(`0x${word.slice(2 * byte, 2 * byte + 2)}`);
  }
  return [formatIP({ family: hex.length === 8 ? 4 : 6, value }), Number.parseInt(port, 16)];
}

/** What ss adds for listening sockets, by inode. */
export interface SsRow {
  readonly v6only: boolean;
  readonly limit: number;
}

/** Output of `ss -Htulne`. */
export function parseSs(text: string): ReadonlyMap<string, SsRow> {
  const out = new Map<string, SsRow>();
  for (const line of text.split('\n')) {
    const inode = /\bino:(\d+)/.exec(line)?.[1];
    const limit = line.trim().split(/\s+/)[3];
    if (inode !== undefined) out.set(inode, { v6only: /\bv6only:1\b/.test(line), limit: Number(limit) });
  }
  return out;
}

const isWildcard = (address: string): boolean => address === '::' || address === '0.0.0.0';

/** TCP in state LISTEN, and UDP without a peer. */
export function listeningOf(
  rows: readonly SocketRow[],
  programs: ReadonlyMap<string, string>,
  ss: ReadonlyMap<string, SsRow>,
): readonly ListeningSocket[] {
  return rows
    .filter((r) => (r.protocol === 'tcp' ? r.state === 'LISTEN' : r.remotePort === 0))
    .map((r) => {
      const program = programs.get(r.inode);
      const more = ss.get(r.inode);
      return {
        protocol: r.protocol,
        family: r.family,
        address: r.address,
        dual: r.family === 6 && isWildcard(r.address) && more?.v6only !== true,
        port: r.port,
        ...(program === undefined ? {} : { program }),
        ...(r.protocol === 'tcp' && more !== undefined
          ? { backlog: { waiting: r.receiveQueue, limit: more.limit } }
          : {}),
      };
    });
}

export function connectionsOf(rows: readonly SocketRow[]): PodFacts['connections'] {
  const text = (address: string, port: number) =>
    address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  return rows
    .filter((r) => r.protocol === 'tcp' && r.state !== 'LISTEN' && r.state !== 'TIME-WAIT')
    .slice(0, MAX_CONNECTIONS)
    .map((r) => ({
      local: text(mapped(r.address), r.port),
      remote: text(mapped(r.remoteAddress), r.remotePort),
      state: r.state,
    }));
}

/** IPv4 over a dual socket, as people write it. */
function mapped(address: string): string {
  const found = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(address);
  if (found === null) return address.replace(/^::ffff:(?=[\d.]+$)/, '');
  const value = (BigInt(`0x${found[1]}`) << 16n) | BigInt(`0x${found[2]}`);
  return formatIP({ family: 4, value });
}
