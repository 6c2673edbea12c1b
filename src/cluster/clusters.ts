// The small index of the clusters on this machine: name → data directory. Each change is written whole, one at a time:
// several commands may be starting and deleting clusters at once.
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { readJsonIfExists, writeFileAtomic } from '#host/files.ts';
import { withLock } from './lock.ts';

export interface ClusterEntry {
  readonly name: string;
  readonly dataDir: string;
  /** The user's kubeconfig file that got an entry, and the context that was current before. */
  readonly kubeconfig?: string;
  readonly previousContext?: string;
}

interface Index {
  readonly clusters: readonly ClusterEntry[];
}

/** Entries whose data directory still exists. */
export function readIndex(path: string): readonly ClusterEntry[] {
  return (readJsonIfExists<Index>(path)?.clusters ?? []).filter((c) => existsSync(c.dataDir));
}

export const putIndex = (path: string, entry: ClusterEntry): Promise<void> =>
  change(path, (clusters) => [...clusters.filter((c) => c.name !== entry.name), entry]);

export const dropIndex = (path: string, name: string): Promise<void> =>
  change(path, (clusters) => clusters.filter((c) => c.name !== name));

const change = (path: string, by: (clusters: readonly ClusterEntry[]) => readonly ClusterEntry[]): Promise<void> =>
  withLock(`index ${path}`, () => write(path, by(readIndex(path))));

function write(path: string, clusters: readonly ClusterEntry[]): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileAtomic(
    path,
    `${JSON.stringify({ clusters: clusters.toSorted((a, b) => a.name.localeCompare(b.name)) }, undefined, 2)}\n`,
    0o600,
  );
}
