// All groups and versions that clients find: those this server answers and those of aggregated servers, in the order of priorities.
import type { Served, ServedResources } from '../served.ts';
import { localPriority, type Priority } from './priorities.ts';
import type { VersionDiscovery } from './remote-discovery.ts';

export interface RemoteDocument {
  readonly bytes: Uint8Array;
  readonly hash: string;
}

/** A group and version that somebody else answers. */
export interface RemoteVersion {
  readonly group: string;
  readonly version: string;
  readonly priority: Priority;
  /** Undefined before it was told for the first time. */
  readonly discovery: VersionDiscovery | undefined;
  /** Whether the last question for it was answered. */
  readonly fresh: boolean;
  /** Its OpenAPI v3 document; undefined while it is unavailable, or has none. */
  readonly openApi: RemoteDocument | undefined;
}

export interface RemoteVersions {
  remoteVersions(): readonly RemoteVersion[];
  onChange(listener: () => void): void;
}

export const noRemoteVersions: RemoteVersions = { remoteVersions: () => [], onChange: () => {} };

export interface GroupVersion {
  readonly version: string;
  readonly local: ReadonlyMap<string, Served>;
  /** Wins over what is local. */
  readonly remote: RemoteVersion | undefined;
}

const NOTHING: ReadonlyMap<string, Served> = new Map();

/** Group → versions, the preferred one first. Equal priorities stay in the order in which they are served. */
export function allGroups(
  resources: ServedResources,
  remote: RemoteVersions,
): ReadonlyMap<string, readonly GroupVersion[]> {
  const rows: { group: string; priority: Priority; entry: GroupVersion }[] = [];
  for (const [group, versions] of resources.groups())
    for (const [version, local] of versions)
      rows.push({ group, priority: localPriority(group, version), entry: { version, local, remote: undefined } });
  for (const other of remote.remoteVersions()) {
    const entry: GroupVersion = { version: other.version, local: NOTHING, remote: other };
    const same = rows.findIndex((r) => r.group === other.group && r.entry.version === other.version);
    const row = { group: other.group, priority: other.priority, entry };
    if (same < 0) rows.push(row);
    else rows[same] = row;
  }
  const groups = new Map<string, typeof rows>();
  for (const row of rows) groups.getOrInsertComputed(row.group, () => []).push(row);
  const highest = (of: typeof rows): number => Math.max(...of.map((r) => r.priority.group));
  const ordered = [...groups].toSorted(([, a], [, b]) => highest(b) - highest(a));
  return new Map(
    ordered.map(([group, versions]) => [
      group,
      versions.toSorted((a, b) => b.priority.version - a.priority.version).map((r) => r.entry),
    ]),
  );
}
