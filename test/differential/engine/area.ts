// What the commands see of a collection of cases: ids, hashes of what is asked, and a way to ask one of them. DiffCases are one sort of it
// (casesAsAsked); command lines of kubectl and helm are another.
import type { Area, DiffCase } from '../case.ts';
import { Asker } from './asker.ts';
import { hashOf, runCase } from './run-case.ts';
import type { DiffServer } from './server.ts';

export interface Asked {
  readonly id: string;
  /** Changes when what is asked changes. */
  readonly hash: string;
  /** JSON, normalised. A failure to ask at all is thrown. */
  ask(): Promise<unknown>;
}

export interface AreaSession {
  readonly cases: readonly Asked[];
  close(): Promise<void>;
}

export interface AreaDefinition {
  readonly name: Area;
  /** Cases that are asked at once. */
  readonly atOnce: number;
  /** The same cases in the same order each time. */
  ids(): Promise<readonly { readonly id: string; readonly hash: string }[]>;
  /** Where its cases are asked instead of bare API servers. */
  readonly servers?: {
    readonly reference: (log: (line: string) => void) => Promise<DiffServer>;
    readonly coracle: () => Promise<DiffServer>;
  };
  /** Ready to ask this server. */
  open(server: DiffServer): Promise<AreaSession>;
}

/** Requests take turns on few connections; more at once make the original's answers later, not more. */
const AT_ONCE = 24;

export function areaOfCases(name: Area, load: () => Promise<Iterable<DiffCase>>): AreaDefinition {
  let loaded: Promise<readonly DiffCase[]> | undefined;
  const cases = () => (loaded ??= load().then((all) => checked(name, [...all])));
  return {
    name,
    atOnce: AT_ONCE,
    ids: async () => (await cases()).map((c) => ({ id: c.id, hash: hashOf(c) })),
    async open(server) {
      const asker = new Asker(server);
      const host = new URL(server.url).host;
      return {
        cases: (await cases()).map((c) => ({ id: c.id, hash: hashOf(c), ask: () => runCase(asker, host, c) })),
        close: async () => asker.close(),
      };
    },
  };
}

function checked(name: Area, cases: readonly DiffCase[]): readonly DiffCase[] {
  const ids = new Set<string>();
  for (const { id, area } of cases) {
    if (area !== name) throw new Error(`${id} is of area ${area}, and stands among those of ${name}`);
    if (!id.startsWith(`${name}/`) || /\s$|^\s|[\n\t]/.test(id)) throw new Error(`an id begins with its area: ${id}`);
    if (ids.has(id)) throw new Error(`two cases are called ${id}`);
    ids.add(id);
  }
  return cases;
}
