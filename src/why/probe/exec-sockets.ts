// The sockets of a probe inside a pod of any cluster, through exec: a small script in the container makes the connection with what is
// there (bash, python3, nc), and its stdin and stdout are the connection's bytes. So the protocols and TLS are spoken here, and the
// packets come from the pod's own network namespace.
import type { Duplex } from 'node:stream';
import type { Clock } from '#base/clock.ts';
import { describeError } from '#base/log.ts';
import { Conversation } from './conversation.ts';
import type { ConnectAttempt } from './result.ts';
import type { Connected, Datagram, Http2Answer, ProbeSockets, Secured, SecureOptions } from './sockets.ts';

/** A command that runs in a container. */
export interface Exec {
  readonly stream: Duplex;
  stderr(): string;
  readonly exited: Promise<number>;
}
export type OpenExec = (command: readonly string[]) => Promise<Exec>;

/** What a container has to connect with. */
export type ConnectTool = 'bash' | 'python3' | 'nc' | 'busybox';
/** Best first: the first two speak UDP too; OpenBSD's and other nc come last, since they do not tell by a byte that they stand. */
export const CONNECT_TOOLS: readonly ConnectTool[] = ['bash', 'python3', 'busybox', 'nc'];

/** The connection stands; before the first of its bytes. */
const MARK = 0x01;
/** Starting a process in a container, over the API server and back. */
const EXEC_MS = 5_000;
const DNS_PORT = 53;

const PYTHON = `
import socket,sys,os,threading
h,p,k=sys.argv[1],int(sys.argv[2]),sys.argv[3]
s=socket.socket(socket.AF_INET6 if ':' in h else socket.AF_INET,socket.SOCK_STREAM if k=='tcp' else socket.SOCK_DGRAM)
try: s.connect((h,p))
except OSError as e: sys.stderr.write(str(e.strerror)); sys.exit(9)
os.write(1,b'\\x01')
def up():
  while True:
    b=os.read(0,65536)
    if not b: break
    s.sendall(b)
  if k=='tcp':
    try: s.shutdown(socket.SHUT_WR)
    except OSError: pass
threading.Thread(target=up,daemon=True).start()
try:
  while True:
    b=s.recv(65536)
    if not b: break
    os.write(1,b)
except OSError as e: sys.stderr.write(str(e.strerror)); os._exit(8)
os._exit(0)
`;

/** The command that connects; it prints MARK when it stands, where the tool can tell. */
export function connectCommand(
  tool: ConnectTool,
  kind: 'tcp' | 'udp',
  address: string,
  port: number,
): readonly string[] {
  const at = [address, String(port)];
  switch (tool) {
    case 'bash':
      return [
        'bash',
        '-c',
        `exec 3<>"/dev/${kind}/$0/$1" || exit 9; printf '\\001'; cat <&0 >&3 & up=$!; cat <&3; kill $up 2>/dev/null`,
        ...at,
      ];
    case 'python3':
      return ['python3', '-c', PYTHON, ...at, kind];
    case 'nc':
      return ['nc', ...(kind === 'udp' ? ['-u'] : ['-v']), ...at];
    case 'busybox':
      // Its smallest builds have neither -u nor -v. That the connection stands is told by one before that runs nothing.
      return ['sh', '-c', `nc -w 2 "$0" "$1" -e true || exit 9; printf '\\001'; exec nc "$0" "$1"`, ...at];
  }
}

const marks = (tool: ConnectTool): boolean => tool !== 'nc';

/** What a tool's complaint means. */
export function outcomeOfComplaint(text: string): ConnectAttempt['outcome'] {
  if (/refused|reset by peer/i.test(text)) return 'refused';
  if (/no route|unreachable|cannot assign/i.test(text)) return 'unreachable';
  if (/permission denied|not permitted|prohibited/i.test(text)) return 'prohibited';
  if (/timed? ?out/i.test(text)) return 'timeout';
  return 'error';
}

export interface ExecSocketsDeps {
  readonly open: OpenExec;
  readonly clock: Clock;
  /** TLS and HTTP/2 are spoken in this process. */
  readonly local: Pick<ProbeSockets, 'secure' | 'http2'>;
}

export class ExecSockets implements ProbeSockets {
  readonly #deps: ExecSocketsDeps;
  readonly #tool: ConnectTool;

  constructor(tool: ConnectTool, deps: ExecSocketsDeps) {
    this.#tool = tool;
    this.#deps = deps;
  }

  async connect(address: string, port: number, timeoutMs: number): Promise<Connected> {
    const started = this.#deps.clock.monotonic();
    const done = (outcome: ConnectAttempt['outcome'], errno?: string): Connected => ({
      attempt: {
        address,
        port,
        outcome,
        ms: Math.round(this.#deps.clock.monotonic() - started),
        ...(errno === undefined ? {} : { errno }),
      },
    });
    const opened = await this.#start('tcp', address, port, timeoutMs);
    if ('failed' in opened) return done(opened.failed, opened.why);
    return { attempt: done('connected').attempt, socket: opened.stream };
  }

  /** The stream once the connection stands. */
  async #start(
    kind: 'tcp' | 'udp',
    address: string,
    port: number,
    timeoutMs: number,
  ): Promise<
    | { readonly stream: Duplex; readonly exec: Exec }
    | { readonly failed: ConnectAttempt['outcome']; readonly why: string }
  > {
    let exec: Exec;
    try {
      exec = await this.#deps.open(connectCommand(this.#tool, kind, address, port));
    } catch (error) {
      return { failed: 'error', why: describeError(error) };
    }
    const { stream } = exec;
    const talk = new Conversation(stream, this.#deps.clock);
    // nc without a mark complains on stderr that it stands ("succeeded", "open"), or keeps quiet: then bytes or time tell.
    const stands = (held: Buffer) =>
      marks(this.#tool)
        ? held[0] === MARK
        : held.length > 0 || /succeeded|\bopen\b/i.test(exec.stderr()) || kind === 'udp';
    // The connection's own time begins when the script runs: a refusal or the mark comes after at most both.
    const waited = await talk.until(stands, timeoutMs + (marks(this.#tool) ? EXEC_MS / 5 : 0));
    const complaint = exec.stderr().trim();
    if (waited === 'enough' || (waited === 'silent' && !marks(this.#tool) && complaint === '' && this.#tool === 'nc')) {
      if (marks(this.#tool)) talk.take(1);
      const rest = Buffer.from(talk.held);
      talk.handOver();
      if (rest.length > 0) stream.unshift(rest);
      return waited === 'enough'
        ? { stream, exec }
        : drop(stream, 'timeout', 'nothing told that the connection stands');
    }
    if (waited === 'silent') return drop(stream, 'timeout', '');
    return drop(stream, complaint === '' ? 'error' : outcomeOfComplaint(complaint), lastLine(complaint));
  }

  secure(stream: Duplex, options: SecureOptions, timeoutMs: number): Promise<Secured> {
    return this.#deps.local.secure(stream, options, timeoutMs);
  }

  http2(
    stream: Duplex,
    authority: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array,
    timeoutMs: number,
  ): Promise<Http2Answer | undefined> {
    return this.#deps.local.http2(stream, authority, headers, body, timeoutMs);
  }

  async datagram(
    address: string,
    port: number,
    bytes: Uint8Array,
    timeoutMs: number,
    accept: (answer: Uint8Array) => boolean = () => true,
  ): Promise<Datagram> {
    if (this.#tool === 'busybox') return this.#overTcp(address, port, bytes, timeoutMs, accept);
    // The round trip through the API server is not the datagram's.
    const opened = await this.#start('udp', address, port, EXEC_MS);
    if ('failed' in opened) return { outcome: 'error', errno: opened.why };
    const talk = new Conversation(opened.stream, this.#deps.clock);
    talk.write(bytes);
    const waited = await talk.until((held) => held.length > 0 && accept(held), timeoutMs + EXEC_MS / 5);
    const answer = Uint8Array.from(talk.held);
    opened.stream.destroy();
    if (waited === 'enough') return { outcome: 'answer', bytes: answer };
    const outcome = outcomeOfComplaint(opened.exec.stderr());
    const refused = outcome === 'refused' || outcome === 'unreachable' || outcome === 'prohibited';
    return { outcome: refused ? outcome : 'silence' };
  }

  /** Name servers answer by TCP as well (RFC 7766), each message behind its length. Other datagrams cannot be sent. */
  async #overTcp(
    address: string,
    port: number,
    bytes: Uint8Array,
    timeoutMs: number,
    accept: (answer: Uint8Array) => boolean,
  ): Promise<Datagram> {
    if (port !== DNS_PORT) return { outcome: 'error', errno: 'the container has nothing to send a datagram with' };
    const { attempt, socket } = await this.connect(address, port, timeoutMs);
    if (socket === undefined) {
      const { outcome } = attempt;
      const told = outcome === 'refused' || outcome === 'unreachable' || outcome === 'prohibited';
      return { outcome: told ? outcome : 'silence' };
    }
    const talk = new Conversation(socket, this.#deps.clock);
    talk.write(withLength(bytes));
    const whole = (held: Buffer) => held.length > 2 && held.length >= 2 + held.readUInt16BE(0);
    const waited = await talk.until(whole, timeoutMs + EXEC_MS / 5);
    const answer = Uint8Array.from(talk.held.subarray(2));
    socket.destroy();
    return waited === 'enough' && accept(answer) ? { outcome: 'answer', bytes: answer } : { outcome: 'silence' };
  }
}

function withLength(message: Uint8Array): Buffer {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(message.length);
  return Buffer.concat([size, message]);
}

function drop(stream: Duplex, failed: ConnectAttempt['outcome'], why: string) {
  stream.destroy();
  return { failed, why };
}

const lastLine = (text: string): string => text.split('\n').at(-1) ?? '';
