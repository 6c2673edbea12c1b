// What a cluster may leave on the machine, as text to compare before and after.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { processesWhere } from '#host/process.ts';

/** The id that names a cluster's links, tables and namespaces. */
export const clusterId = (dataDir: string): string => createHash('sha256').update(dataDir).digest('hex').slice(0, 8);

/** Kind of thing → lines. Things of other clusters, and of tests that run beside this one, are left out. */
export function machineState(own: readonly string[]): Readonly<Record<string, readonly string[]>> {
  const said = (command: string, ...args: string[]): string[] => spawnSync(command, args).stdout.toString().split('\n');
  const ids = own.map(clusterId);
  const isForeign = (line: string): boolean => {
    const named = /(?:crc|coracle[-_])([0-9a-f]{8})\b/.exec(line);
    return named !== null && !ids.includes(named[1]!);
  };
  const lines = (all: readonly string[]): string[] => all.filter((l) => l.trim() !== '' && !isForeign(l)).toSorted();
  const ofOurs = (line: string): boolean => own.some((d) => line.includes(d)) || ids.some((id) => line.includes(id));
  const cgroups = readdirSync('/sys/fs/cgroup').flatMap((c) => {
    const folder = `/sys/fs/cgroup/${c}`;
    return existsSync(`${folder}/cgroup.procs`)
      ? readdirSync(folder, { withFileTypes: true })
          .filter((e) => e.isDirectory())
          .map((e) => `${c}/${e.name}`)
      : [c];
  });
  return {
    processes: processesWhere((args) => args.some((a) => own.some((d) => a.startsWith(d)))).map((p) =>
      readFileSync(`/proc/${p.pid}/cmdline`, 'utf8').replaceAll('\0', ' '),
    ),
    namespaces: existsSync('/run/netns') ? lines(readdirSync('/run/netns')).filter((l) => l.startsWith('coracle')) : [],
    links: lines(
      said('ip', '-o', 'link').map(
        (l) =>
          l
            .replace(/^\d+: /, '')
            .split(':')[0]!
            .split('@')[0]!,
      ),
    ).filter((l) => !l.startsWith('veth')),
    addresses: lines(said('ip', '-o', 'address').map((l) => l.replace(/^\d+: /, '').replace(/ valid_lft.*/, ''))),
    routes: lines(said('ip', 'route', 'show', 'table', 'all').map((l) => l.replace(/expires \S+/, ''))),
    rules: lines(said('ip', 'rule')),
    tables: lines(said('nft', 'list', 'tables')),
    mounts: lines(said('cat', '/proc/self/mounts')).filter((l) => ofOurs(l) || /^\S+ \/run\/netns ext4/.test(l)),
    cgroups: lines(cgroups),
    loops: lines(said('losetup', '-n', '-O', 'NAME,BACK-FILE')).filter(ofOurs),
    sockets: lines(said('cat', '/proc/net/unix')).filter(ofOurs),
    settings: [`ip_forward ${readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim()}`],
  };
}
