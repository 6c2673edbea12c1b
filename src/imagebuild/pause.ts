// The sandbox image: one static program, assembled here, that ignores SIGCHLD (so that the kernel reaps the orphans it
// inherits) and then sleeps for ever. 200 bytes instead of a build.
import { type LayerEntries } from './oci.ts';

const BASE = 0x400000;
const HEADERS = 64 + 56;

/** rt_sigaction(SIGCHLD, {SIG_IGN}, NULL, 8); for (;;) pause(); */
function codeFor(arch: string, structAddress: (codeLength: number) => number): Uint8Array {
  const le32 = (n: number) => [n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >> 24) & 255];
  switch (arch) {
    case 'x64': {
      const make = (address: number) => [
        0xb8,
        ...le32(13), // mov eax, rt_sigaction
        0xbf,
        ...le32(17), // mov edi, SIGCHLD
        0xbe,
        ...le32(address), // mov esi, action
        0x31,
        0xd2, // xor edx, edx
        0x41,
        0xba,
        ...le32(8), // mov r10d, 8
        0x0f,
        0x05, // syscall
        0xb8,
        ...le32(34), // mov eax, pause
        0x0f,
        0x05, // syscall
        0xeb,
        0xf7, // jmp back to mov eax, pause
      ];
      return Uint8Array.from(make(structAddress(make(0).length)));
    }
    case 'arm64': {
      // movz xN, #imm16 (optionally << 16); svc #0; b back. ppoll(NULL, 0, NULL, NULL) stands in for pause.
      const movz = (register: number, value: number, shift = 0) =>
        (0xd2800000 | (shift << 21) | (value << 5) | register) >>> 0;
      const movk16 = (register: number, value: number) => (0xf2a00000 | (value << 5) | register) >>> 0;
      const make = (address: number) => [
        movz(8, 134),
        movz(0, 17),
        movz(1, address & 0xffff),
        movk16(1, address >>> 16),
        movz(2, 0),
        movz(3, 8),
        0xd4000001,
        movz(8, 73),
        movz(0, 0),
        movz(1, 0),
        movz(2, 0),
        movz(3, 0),
        0xd4000001,
        (0x14000000 | ((-6 & 0x3ffffff) >>> 0)) >>> 0,
      ];
      return Uint8Array.from(make(structAddress(make(0).length * 4)).flatMap((word) => le32(word | 0)));
    }
    default:
      throw new Error(`no sandbox program for ${arch}; give a runtime folder with a pause image`);
  }
}

const MACHINES: Readonly<Record<string, number>> = { x64: 62, arm64: 183 };

/** A static ELF executable. */
export function pauseProgram(arch: string = process.arch): Uint8Array {
  const code = codeFor(arch, (length) => BASE + HEADERS + align(length));
  // struct kernel_sigaction: handler SIG_IGN (1), the rest zero.
  const action = new Uint8Array(32);
  action[0] = 1;
  const size = HEADERS + align(code.length) + action.length;
  const out = Buffer.alloc(size);
  out.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  out.writeUInt16LE(2, 16); // executable
  out.writeUInt16LE(MACHINES[arch]!, 18);
  out.writeUInt32LE(1, 20);
  out.writeBigUInt64LE(BigInt(BASE + HEADERS), 24); // entry
  out.writeBigUInt64LE(64n, 32); // program headers
  out.writeUInt16LE(64, 52);
  out.writeUInt16LE(56, 54);
  out.writeUInt16LE(1, 56);
  out.writeUInt32LE(1, 64); // PT_LOAD
  out.writeUInt32LE(5, 68); // readable, executable
  out.writeBigUInt64LE(0n, 72);
  out.writeBigUInt64LE(BigInt(BASE), 80);
  out.writeBigUInt64LE(BigInt(BASE), 88);
  out.writeBigUInt64LE(BigInt(size), 96);
  out.writeBigUInt64LE(BigInt(size), 104);
  out.writeBigUInt64LE(0x1000n, 112);
  out.set(code, HEADERS);
  out.set(action, HEADERS + align(code.length));
  return out;
}

const align = (n: number): number => (n + 7) & ~7;

export const pauseLayer = (): LayerEntries => ({ files: { pause: { content: pauseProgram(), mode: 0o755 } } });
