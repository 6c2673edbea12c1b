// Progress lines: plain lines, with a coloured mark on a terminal. Goes to stderr, so that stdout stays for results.

export interface Progress {
  say(line: string): void;
}

export function makeProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  return { say: (line) => void stream.write(`${mark(stream)} ${line}\n`) };
}

function mark(stream: NodeJS.WriteStream): string {
  const colour = stream.isTTY && process.env['NO_COLOR'] === undefined;
  return colour ? '\x1b[36m•\x1b[0m' : '-';
}
