// The directions between the top folders of src/. A folder may import what stands in a later row, never its own row or an earlier
// one. Each row says why nothing further down may know it.

export interface Layer {
  readonly folders: readonly string[];
  /** Why no folder of a later row may import these, and why they may not import each other. */
  readonly why: string;
}

export const LAYERS: readonly Layer[] = [
  {
    folders: ['cli', 'testing'],
    why: 'commands and the test interface are doors for people: a part that calls a command cannot be used without it',
  },
  {
    folders: ['cluster'],
    why: 'it assembles the parts; a part that knows the assembly cannot be run or replaced alone',
  },
  {
    folders: ['apiserver', 'controllers', 'scheduler', 'node', 'network', 'why', 'connect', 'dashboard'],
    why: 'components meet only at the API, through client/: so each can be run, replaced by its original, and tested alone',
  },
  {
    folders: ['client', 'netmodel', 'tunnel', 'install', 'imagebuild'],
    why: 'tools of the components: what serves the API may not need a client of it',
  },
  {
    folders: ['watchcache', 'kinds'],
    why: 'the cache knows no kind by name, and a kind knows nothing of how it is served',
  },
  {
    folders: ['store', 'merge'],
    why: 'the store holds bytes and the patches work on plain JSON: neither knows kinds or caches',
  },
  {
    folders: ['cel'],
    why: 'the expression language stands on schemas; schemas are needed where no expression is evaluated',
  },
  {
    folders: ['schema'],
    why: 'shapes are data about objects; metadata, keys and processes are needed without any shape',
  },
  { folders: ['machinery', 'pki', 'streams', 'host'], why: 'four foundations that have nothing to do with each other' },
  { folders: ['base'], why: 'no Kubernetes in it: everything may stand on it, it stands on nothing' },
];

/** Why the import is forbidden; undefined when it is allowed. */
export function forbidden(importer: string, imported: string): string | undefined {
  if (importer === imported || imported === 'generated') return undefined;
  const from = LAYERS.findIndex((l) => l.folders.includes(importer));
  const to = LAYERS.findIndex((l) => l.folders.includes(imported));
  if (from < 0) return `src/${importer} has no row in test/tidy/layers.ts`;
  if (to < 0) return `src/${imported} has no row in test/tidy/layers.ts`;
  return to > from ? undefined : LAYERS[to]!.why;
}
