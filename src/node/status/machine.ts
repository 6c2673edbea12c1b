// What this node has and is, read once from /proc and /etc.
import { cpuMillis, quantityToNumber } from '#machinery/quantity.ts';
import type { FileSystem } from '#host/file-system.ts';

export interface MachineFacts {
  readonly cores: number;
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly storageBytes: number;
  readonly architecture: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly machineId: string;
  readonly systemUuid: string;
  readonly bootId: string;
}

const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  s390x: 's390x',
  ppc64: 'ppc64le',
  riscv64: 'riscv64',
};

export function readMachine(
  files: FileSystem,
  overrides: { readonly cpus?: string; readonly memory?: string; readonly nodeName: string },
): MachineFacts {
  const text = (path: string) => (files.readText(path) ?? '').trim();
  const cores = Math.max(
    1,
    text('/proc/cpuinfo')
      .split('\n')
      .filter((l) => l.startsWith('processor')).length,
  );
  const memoryKiB = Number(/^MemTotal:\s+(\d+) kB/m.exec(text('/proc/meminfo'))?.[1] ?? 0);
  const machineId = text('/etc/machine-id');
  return {
    cores,
    cpuMillis: overrides.cpus === undefined ? cores * 1000 : cpuMillis(overrides.cpus),
    memoryBytes: overrides.memory === undefined ? memoryKiB * 1024 : quantityToNumber(overrides.memory),
    storageBytes: 0,
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    kernelVersion: text('/proc/sys/kernel/osrelease'),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?/m.exec(text('/etc/os-release'))?.[1] ?? 'Linux',
    machineId,
    systemUuid: text('/sys/class/dmi/id/product_uuid') || machineId,
    bootId: text('/proc/sys/kernel/random/boot_id'),
  };
}
