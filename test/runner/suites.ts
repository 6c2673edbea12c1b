// The suites of `coracle test`, in the order in which they run, each with the reason for its place: what is quick and points at
// a line comes first, what needs the kernel and real containers last.

/** What a suite needs of the machine. */
export type Need = 'root' | 'containers';

interface Base {
  readonly name: string;
  /** What it proves, and why it stands here. */
  readonly why: string;
  readonly timeoutMinutes: number;
  readonly needs?: readonly Need[];
}

/** A program that is content or not: counts as one test. */
export interface CheckSuite extends Base {
  readonly kind: 'check';
  /** Program below node_modules/.bin, and its arguments. */
  readonly command: readonly [string, ...string[]];
}

/** Files of node:test. */
export interface TestSuite extends Base {
  readonly kind: 'tests';
  /** Each group is one process; `isolated` gives each file of it a process of its own. */
  readonly groups: readonly (readonly string[])[];
  readonly isolated?: boolean;
  /** Processes at once; 1 unless told, so that none disturbs another's clock. */
  readonly atOnce?: number;
  /** Files that run alone after the others: they compare the whole machine before and after, or count what gets lost under load. */
  readonly alone?: readonly string[];
  /** How many times the limit with --long. */
  readonly longFactor?: number;
}

export type Suite = CheckSuite | TestSuite;

export const SUITES: readonly Suite[] = [
  {
    kind: 'check',
    name: 'types',
    why: 'a wrong type makes every later message harder to read',
    timeoutMinutes: 3,
    command: ['tsc', '--noEmit'],
  },
  {
    kind: 'check',
    name: 'lint',
    why: 'finds what types do not: unused code, forgotten promises of a loop, shadowed errors',
    timeoutMinutes: 2,
    command: ['oxlint'],
  },
  {
    kind: 'check',
    name: 'format',
    why: 'nobody argues about layout; `npm run format` puts it right',
    timeoutMinutes: 2,
    command: ['biome', 'format', '.'],
  },
  {
    kind: 'tests',
    name: 'tidy',
    why: 'the conventions: layers, import ownership, lists, names, generated files; a second to run, and it names the rule',
    timeoutMinutes: 2,
    groups: [['test/tidy/**/*.test.ts']],
  },
  {
    kind: 'tests',
    name: 'unit',
    why: 'the decisions, beside their code; a few processes, so that memory stays bounded',
    timeoutMinutes: 6,
    groups: [
      ['src/{base,host,pki,streams,machinery,schema,merge,install,imagebuild,cluster,cli}/**/*.test.ts'],
      ['src/{store,watchcache,client,cel}/**/*.test.ts'],
      ['src/{kinds,apiserver}/**/*.test.ts'],
      ['src/{controllers,scheduler}/**/*.test.ts'],
      ['src/{netmodel,network,node,tunnel}/**/*.test.ts'],
      ['src/{why,connect}/**/*.test.ts', 'test/{conformance,reference,benchmark}/**/*.test.ts'],
    ],
  },
  {
    kind: 'tests',
    name: 'simulation',
    why: 'the whole control plane in one thread on one seed, twice, with equal traces; before anything with real time',
    timeoutMinutes: 8,
    groups: [['test/simulation/**/*.test.ts']],
    longFactor: 10,
  },
  {
    kind: 'tests',
    name: 'models',
    why: 'some thousand generated clusters, each explained and walked by a second packet walker; seconds, and it prints the smallest one',
    timeoutMinutes: 3,
    groups: [['test/models/**/*.test.ts']],
    longFactor: 10,
  },
  {
    kind: 'tests',
    name: 'integration',
    why: 'the API server through every transport of the client, and under the real kubectl',
    timeoutMinutes: 4,
    groups: [['test/integration/**/*.test.ts']],
    isolated: true,
  },
  {
    kind: 'tests',
    name: 'differential',
    why: 'some thousand requests answered as the original answered them, but for what is listed; names the first field that differs',
    // Two on an idle machine; command lines wait for real clocks.
    timeoutMinutes: 12,
    groups: [['test/differential/**/*.test.ts']],
    isolated: true,
  },
  {
    kind: 'tests',
    name: 'store',
    why: 'kill -9, full disks and power cuts: what was acknowledged is there; full only as root',
    timeoutMinutes: 5,
    groups: [['test/store/**/*.test.ts']],
    isolated: true,
    longFactor: 12,
  },
  {
    kind: 'tests',
    name: 'kernel',
    why: 'rules, services, policies and DNS by real packets in namespaces of their own',
    timeoutMinutes: 12,
    needs: ['root', 'containers'],
    groups: [['test/kernel/**/*.test.ts']],
    isolated: true,
  },
  {
    kind: 'tests',
    name: 'e2e',
    why: 'everything at once: the bundle, containerd, kubectl, psql; last, since it takes longest and explains least',
    timeoutMinutes: 40,
    needs: ['root', 'containers'],
    groups: [['test/e2e/**/*.test.ts']],
    isolated: true,
    // They wait for clocks and grace periods more than they compute.
    atOnce: 2,
    alone: ['test/e2e/{article,bad-input,connect,lifecycle}.test.ts'],
    longFactor: 4,
  },
];
