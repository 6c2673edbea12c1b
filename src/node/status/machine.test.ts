import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FileSystem } from '#host/file-system.ts';
import { readMachine } from './machine.ts';

const TEXTS: Readonly<Record<string, string>> = {
  '/proc/cpuinfo': 'processor\t: 0\nmodel name : x\n\nprocessor\t: 1\n',
  '/proc/meminfo': 'MemTotal:        4000000 kB\nMemFree: 1 kB\n',
  '/proc/sys/kernel/osrelease': '6.1.0-18-amd64\n',
  '/etc/os-release': 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
  '/etc/machine-id': 'abc\n',
};
const files = { readText: (path: string) => TEXTS[path] } as FileSystem;

describe('readMachine', () => {
  it('reports the whole machine', () => {
    const { cores, cpuMillis, memoryBytes, kernelVersion, osImage, machineId } = readMachine(files, { nodeName: 'n' });
    assert.deepEqual([cores, cpuMillis, memoryBytes], [2, 2000, 4_096_000_000]);
    assert.deepEqual([kernelVersion, osImage, machineId], ['6.1.0-18-amd64', 'Debian GNU/Linux 12 (bookworm)', 'abc']);
  });

  it('reports what it is told instead', () => {
    const { cpuMillis, memoryBytes } = readMachine(files, { nodeName: 'n', cpus: '500m', memory: '1Gi' });
    assert.deepEqual([cpuMillis, memoryBytes], [500, 1024 ** 3]);
  });
});
