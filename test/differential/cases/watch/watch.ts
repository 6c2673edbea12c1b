// The area `watch`: a sequence of writes, with a watch opened before, between or after them. Each sequence ends with one object that every
// watch of the case must see, so that nobody waits for what does not come.
import type { DiffCase, DiffRequest } from '../../case.ts';
import { PARTIAL, PROTOBUF, TABLE } from '../verbs/create.ts';
import { type Json, kindCases } from '../verbs/kinds.ts';
import { Subject } from '../verbs/script.ts';

const KINDS = new Set([
  'core.v1.ConfigMap',
  'core.v1.Event',
  'core.v1.Namespace',
  'core.v1.Node',
  'core.v1.PersistentVolumeClaim',
  'core.v1.Pod',
  'core.v1.Secret',
  'core.v1.Service',
  'apps.v1.Deployment',
  'batch.v1.Job',
  'coordination.k8s.io.v1.Lease',
  'discovery.k8s.io.v1.EndpointSlice',
  'networking.k8s.io.v1.NetworkPolicy',
  'rbac.authorization.k8s.io.v1.ClusterRole',
]);

/** Long enough for a busy machine: only a missing event costs it. */
const QUIET_MS = 5_000;
const END = 'the-end';
const MANY = 60;
const MARKED = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';

interface WatchOptions {
  /** Query behind `watch=true`. */
  readonly query?: string;
  readonly accept?: string;
  /** Instead of the collection. */
  readonly path?: string;
  readonly events?: number;
  readonly quietMs?: number;
}

class Story extends Subject {
  named(name: string): string {
    return this.kind.served.namespaced ? name : `${name}-{id}`;
  }

  at(name: string): string {
    return `${this.all}/${this.named(name)}`;
  }

  add(name: string, metadata: Json = {}): DiffRequest {
    return { ...this.made({ name: this.named(name), ...metadata }) };
  }

  label(name: string, labels: Json, query = ''): DiffRequest {
    return {
      method: 'PATCH',
      path: this.at(name) + query,
      body: { metadata: { labels } },
      headers: { 'content-type': 'application/merge-patch+json' },
      isSetUp: true,
    };
  }

  change(name: string): DiffRequest {
    return { ...this.label(name, {}), body: this.kind.change };
  }

  drop(name: string, body: unknown = { gracePeriodSeconds: 0 }, query = ''): DiffRequest {
    return { method: 'DELETE', path: this.at(name) + query, body, isSetUp: true };
  }

  /** A list that is consistent: behind it caches know all that was written. */
  fresh(): DiffRequest {
    return { method: 'GET', path: this.mine, isSetUp: true };
  }

  end(metadata: Json = {}): DiffRequest {
    return this.add(END, metadata);
  }

  /** All of it happens while the watch is open. */
  watch(during: readonly DiffRequest[], options: WatchOptions = {}): DiffRequest {
    const mine = this.kind.served.namespaced ? '' : '&labelSelector=case%3D{id}';
    const selects = options.query?.includes('labelSelector') === true;
    return {
      method: 'GET',
      path: `${options.path ?? this.all}?watch=true${options.query === undefined ? '' : `&${options.query}`}${selects ? '' : mine}`,
      ...(options.accept === undefined ? {} : { headers: { accept: options.accept } }),
      watch: {
        events: options.events ?? MANY,
        until: END,
        quietMs: options.quietMs ?? QUIET_MS,
        whileDoing: during,
        // When the mark comes is the server's affair, as long as it comes behind what was there.
        ...(options.query?.startsWith(MARKED) === true ? { beginsAfter: 'k8s.io/initial-events-end' } : {}),
      },
    };
  }

  /** A watch that is refused or ends by itself. */
  bare(query: string, accept?: string): DiffRequest {
    return this.watch([], { query, ...(accept === undefined ? {} : { accept }) });
  }
}

type Telling = (s: Story) => readonly DiffRequest[];

const mineWith = (selector: string) =>
  `labelSelector=${encodeURIComponent('case=')}{id}${encodeURIComponent(`,${selector}`)}`;
/** Comes into view, changes there, goes out of it, and is deleted outside of it. */
const inAndOut = (s: Story): DiffRequest[] => [
  s.add('a', { labels: { case: '{id}', tier: 'x' } }),
  s.add('b', { labels: { case: '{id}', tier: 'y' } }),
  s.label('b', { tier: 'x' }),
  s.label('b', { more: '1' }),
  s.label('a', { tier: 'y' }),
  s.label('a', { more: '2' }),
  s.drop('a'),
  s.drop('b'),
  s.end({ labels: { case: '{id}', tier: 'x' } }),
];
const life = (s: Story): DiffRequest[] => [
  s.add('a'),
  s.change('a'),
  s.label('a', { more: '1' }),
  s.drop('a'),
  s.end(),
];

const STORIES: Readonly<Record<string, Telling>> = {
  'from now': (s) => [s.watch(life(s))],
  'from now with what is there': (s) => [s.add('b'), s.add('a'), s.watch([...life(s).slice(1)])],
  'from version 0': (s) => [
    s.add('b'),
    s.add('a'),
    s.fresh(),
    s.watch([s.label('a', { more: '1' }), s.end()], { query: 'resourceVersion=0' }),
  ],
  'from before the first write': (s) => [s.add('first'), ...life(s), s.watch([], { query: 'resourceVersion={rv:0}' })],
  'from between the writes': (s) => [
    s.add('first'),
    ...life(s).slice(0, 2),
    s.watch(life(s).slice(2), { query: 'resourceVersion={rv:1}' }),
  ],
  'from the last write': (s) => [
    s.add('a'),
    s.label('a', { more: '1' }),
    s.watch([s.end()], { query: 'resourceVersion={rv:1}' }),
  ],
  'from a list': (s) => [
    s.add('a'),
    { method: 'GET', path: s.mine, isSetUp: true },
    s.watch([s.label('a', { b: 'c' }), s.end()], { query: 'resourceVersion={rv:1}' }),
  ],
  'twice from one version': (s) => [
    s.add('first'),
    ...life(s),
    s.watch([], { query: 'resourceVersion={rv:0}' }),
    s.watch([], { query: 'resourceVersion={rv:2}' }),
  ],
  'by label': (s) => [s.watch(inAndOut(s), { query: mineWith('tier=x') })],
  'by label, of the past': (s) => [
    s.add('first'),
    ...inAndOut(s),
    s.watch([], { query: `resourceVersion={rv:0}&${mineWith('tier=x')}` }),
  ],
  'by a set of labels': (s) => [s.watch(inAndOut(s), { query: mineWith('tier in (x,z)') })],
  'by the absence of a label': (s) => [
    s.watch([s.add('a'), s.label('a', { tier: 'x' }), s.label('a', { tier: null }), s.drop('a'), s.end()], {
      query: mineWith('!tier'),
    }),
  ],
  'by label as a table': (s) => [s.watch(inAndOut(s), { query: mineWith('tier=x'), accept: TABLE })],
  'by label as partial metadata': (s) => [s.watch(inAndOut(s), { query: mineWith('tier=x'), accept: PARTIAL })],
  'by label with initial events': (s) => [
    s.add('a', { labels: { case: '{id}', tier: 'x' } }),
    s.add('b', { labels: { case: '{id}', tier: 'y' } }),
    s.watch([s.label('b', { tier: 'x' }), s.end({ labels: { case: '{id}', tier: 'x' } })], {
      query: `${MARKED}&${mineWith('tier=x')}`,
    }),
  ],
  'by name': (s) => [
    s.watch(
      [s.add('a'), s.add('b'), s.label('a', { x: '1' }), s.label('b', { x: '1' }), s.drop('a'), s.add('a'), s.end()],
      { query: `fieldSelector=metadata.name%3D${s.named('a')}`, events: 4 },
    ),
  ],
  'by another name than': (s) => [
    s.watch([s.add('a'), s.add('b'), s.label('a', { x: '1' }), s.drop('a'), s.drop('b'), s.end()], {
      query: `fieldSelector=metadata.name!%3D${s.named('a')}`,
    }),
  ],
  'by an unknown field': (s) => [s.bare('fieldSelector=spec.colour%3Dred')],
  'by a malformed label selector': (s) => [s.bare('labelSelector=a%20in')],
  'by a malformed field selector': (s) => [s.bare('fieldSelector=a')],
  'in all namespaces': (s) => [
    s.watch(life(s), { query: mineWith('x!=y'), path: s.all.replace('/namespaces/{ns}', '') }),
  ],
  'with initial events': (s) => [
    s.add('b'),
    s.add('a'),
    s.watch([s.label('a', { x: '1' }), s.end()], {
      query: MARKED,
    }),
  ],
  'with initial events of nothing': (s) => [s.watch([s.end()], { query: MARKED })],
  'with initial events without bookmarks': (s) => [
    s.add('a'),
    s.watch([s.end()], { query: 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan' }),
  ],
  'with initial events at version 0': (s) => [
    s.add('a'),
    s.fresh(),
    s.watch([s.end()], {
      query: `${MARKED}&resourceVersion=0`,
    }),
  ],
  'with initial events at a known version': (s) => [
    s.add('a'),
    s.add('b'),
    s.watch([s.label('a', { x: '1' }), s.end()], {
      query: `${MARKED}&resourceVersion={rv:1}`,
    }),
  ],
  'with initial events as a table': (s) => [
    s.add('a'),
    s.watch([s.end()], {
      query: MARKED,
      accept: TABLE,
    }),
  ],
  'with initial events as partial metadata': (s) => [
    s.add('a'),
    s.watch([s.end()], {
      query: MARKED,
      accept: PARTIAL,
    }),
  ],
  'without initial events': (s) => [
    s.add('a'),
    s.add('b'),
    s.watch([s.label('a', { x: '1' }), s.end()], {
      query: 'sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion={rv:1}',
    }),
  ],
  'without initial events or a version': (s) => [
    s.add('a'),
    s.watch([s.label('a', { x: '1' }), s.end()], {
      query: 'sendInitialEvents=false&resourceVersionMatch=NotOlderThan',
    }),
  ],
  'with initial events and no match': (s) => [s.bare('sendInitialEvents=true')],
  'with initial events and an exact match': (s) => [
    s.bare('sendInitialEvents=true&resourceVersionMatch=Exact&resourceVersion=5'),
  ],
  'with a match and no initial events': (s) => [s.bare('resourceVersionMatch=NotOlderThan&resourceVersion=5')],
  'with an unknown match': (s) => [s.bare('sendInitialEvents=true&resourceVersionMatch=About')],
  'from a version of words': (s) => [s.bare('resourceVersion=now')],
  'from a negative version': (s) => [s.bare('resourceVersion=-1')],
  'from an expired version': (s) => [s.watch([], { query: 'resourceVersion=1', events: 1 })],
  'from an expired version as a table': (s) => [s.watch([], { query: 'resourceVersion=1', accept: TABLE, events: 1 })],
  'from a version to come': (s) => [s.bare('resourceVersion=999999999&timeoutSeconds=1')],
  'that times out': (s) => [s.add('a'), s.bare('timeoutSeconds=1')],
  'with a timeout of words': (s) => [s.bare('timeoutSeconds=soon')],
  'with a limit': (s) => [s.add('a'), s.add('b'), s.watch([s.end()], { query: 'limit=1' })],
  'with a continue token': (s) => [s.bare('limit=1&continue=abc&timeoutSeconds=1')],
  'as a table': (s) => [s.add('b'), s.watch(life(s), { accept: TABLE })],
  'as a table with whole objects': (s) => [s.watch(life(s), { accept: TABLE, query: 'includeObject=Object' })],
  'as a table without objects': (s) => [s.watch(life(s), { accept: TABLE, query: 'includeObject=None' })],
  'as a table of the past': (s) => [
    s.add('first'),
    ...life(s),
    s.watch([], { accept: TABLE, query: 'resourceVersion={rv:0}' }),
  ],
  'as partial metadata': (s) => [s.add('b'), s.watch(life(s), { accept: PARTIAL })],
  'as protobuf': (s) => [s.watch([], { accept: PROTOBUF, events: 0 })],
  'as protobuf in a stream': (s) => [s.watch([], { accept: `${PROTOBUF};stream=watch`, events: 0 })],
  'as JSON in a stream': (s) => [s.watch([s.end()], { accept: 'application/json;stream=watch' })],
  'as YAML': (s) => [s.watch([], { accept: 'application/yaml', events: 0 })],
  'as XML': (s) => [s.watch([], { accept: 'text/xml', events: 0 })],
  'of one object by path': (s) => [
    s.add(END),
    {
      ...s.watch([s.label(END, { x: '1' })], { events: 2 }),
      path: `${s.at(END)}?watch=true`,
      watch: { events: 2, quietMs: QUIET_MS, whileDoing: [s.label(END, { x: '1' })] },
    },
  ],
  'of one object of old': (s) => [
    s.add('a'),
    {
      method: 'GET',
      path: s.at('a').replace('/v1/', '/v1/watch/'),
      watch: { events: 2, quietMs: QUIET_MS, whileDoing: [s.add('b'), s.label('a', { x: '1' })] },
    },
  ],
  'of a collection of old': (s) => [
    s.add('a'),
    {
      method: 'GET',
      path: `${s.all.replace('/v1/', '/v1/watch/')}?labelSelector=case%3D{id}`,
      watch: { events: MANY, until: END, quietMs: QUIET_MS, whileDoing: [s.label('a', { x: '1' }), s.end()] },
    },
  ],
  'said in another way': (s) =>
    ['watch=1', 'watch=t', 'watch=TRUE', 'watch'].map((word) => ({
      method: 'GET',
      path: `${s.mine}&${word}&timeoutSeconds=1`,
      watch: { events: 1, quietMs: QUIET_MS },
    })),
  'said to be none': (s) => [
    s.add('a'),
    { method: 'GET', path: `${s.mine}&watch=false` },
    { method: 'GET', path: `${s.mine}&watch=0` },
  ],
  'of an object with finalizers': (s) => [
    s.watch([
      s.add('a', { finalizers: ['example.com/a'] }),
      s.drop('a'),
      s.drop('a'),
      s.label('a', { still: 'here' }),
      { ...s.label('a', {}), body: { metadata: { finalizers: null } } },
      s.end(),
    ]),
  ],
  'of a foreground deletion': (s) => [
    s.watch([s.add('a'), s.drop('a', { propagationPolicy: 'Foreground', gracePeriodSeconds: 0 }), s.end()]),
  ],
  'of a deletion that leaves orphans': (s) => [
    s.watch([s.add('a'), s.drop('a', { propagationPolicy: 'Orphan', gracePeriodSeconds: 0 }), s.end()]),
  ],
  'of writes that change nothing': (s) => [
    s.watch([
      s.add('a'),
      s.label('a', { case: '{id}' }),
      { method: 'PUT', path: s.at('a'), body: s.object({ name: s.named('a') }), isSetUp: true },
      s.end(),
    ]),
  ],
  'of dry runs': (s) => [
    s.watch([
      { ...s.add('a'), path: `${s.all}?dryRun=All` },
      s.add('b'),
      s.label('b', { x: '1' }, '?dryRun=All'),
      s.drop('b', { gracePeriodSeconds: 0, dryRun: ['All'] }),
      s.end(),
    ]),
  ],
  'of refused writes': (s) => [
    s.watch([
      s.add('a'),
      s.add('a'),
      s.label('absent', {}),
      s.drop('absent'),
      { ...s.label('a', {}), body: { metadata: { labels: { 'a b': 'c' } } } },
      s.end(),
    ]),
  ],
  'of an object made again': (s) => [s.watch([s.add('a'), s.drop('a'), s.add('a'), s.drop('a'), s.end()])],
  'of a collection that is deleted': (s) => [
    s.watch([
      s.add('c'),
      s.add('a'),
      s.add('b'),
      { method: 'DELETE', path: `${s.mine}`, body: { gracePeriodSeconds: 0 }, isSetUp: true },
      s.end(),
    ]),
  ],
  'of server-side apply': (s) => {
    const apply = (labels: Json, manager: string, force = ''): DiffRequest => ({
      method: 'PATCH',
      path: `${s.at('a')}?fieldManager=${manager}${force}`,
      body: s.object({ name: s.named('a'), labels: { case: '{id}', ...labels } }),
      headers: { 'content-type': 'application/apply-patch+yaml' },
      isSetUp: true,
    });
    return [
      s.watch([
        apply({}, 'one'),
        apply({}, 'one'),
        apply({ a: '1' }, 'one'),
        apply({ a: '1' }, 'two'),
        apply({ a: '2' }, 'two', '&force=true'),
        apply({}, 'one'),
        s.end(),
      ]),
    ];
  },
};

/** Only where there is such a field, or such a part. */
const SPECIAL: Readonly<Record<string, Readonly<Record<string, Telling>>>> = {
  'core.v1.Pod': {
    'by node': (s) => [
      s.watch([s.add('a'), bind(s, 'a', 'n1'), s.add('b'), bind(s, 'b', 'n2'), s.drop('a'), onNode(s)], {
        query: 'fieldSelector=spec.nodeName%3Dn1',
      }),
    ],
    'by no node': (s) => [
      s.watch([s.add('a'), bind(s, 'a', 'n1'), s.drop('a'), s.end()], { query: 'fieldSelector=spec.nodeName%3D' }),
    ],
    'by phase': (s) => [
      s.watch([s.add('a'), phase(s, 'a', 'Running'), phase(s, 'a', 'Succeeded'), s.end()], {
        query: 'fieldSelector=status.phase%3DPending',
      }),
    ],
    'by another phase than': (s) => [
      s.watch([s.add('a'), phase(s, 'a', 'Running'), phase(s, 'a', 'Succeeded'), s.drop('a'), s.end()], {
        query: 'fieldSelector=status.phase!%3DRunning',
      }),
    ],
    'by node and phase': (s) => [
      s.watch([s.add('a'), bind(s, 'a', 'n1'), phase(s, 'a', 'Running'), phase(s, 'a', 'Failed'), onNode(s)], {
        query: 'fieldSelector=spec.nodeName%3Dn1,status.phase!%3DFailed',
      }),
    ],
    'by scheduler': (s) => [
      s.watch([s.add('a'), s.end()], { query: 'fieldSelector=spec.schedulerName%3Ddefault-scheduler' }),
    ],
    'by node as a table': (s) => [
      s.watch([s.add('a'), bind(s, 'a', 'n1'), onNode(s)], {
        query: 'fieldSelector=spec.nodeName%3Dn1',
        accept: TABLE,
      }),
    ],
    'of status': (s) => [s.watch([s.add('a'), phase(s, 'a', 'Running'), phase(s, 'a', 'Running'), s.end()])],
    'of an eviction': (s) => [
      s.watch([
        s.add('a'),
        {
          method: 'POST',
          path: `${s.at('a')}/eviction`,
          body: {
            apiVersion: 'policy/v1',
            kind: 'Eviction',
            metadata: { name: 'a' },
            deleteOptions: { gracePeriodSeconds: 0 },
          },
        },
        s.end(),
      ]),
    ],
    'of a graceful deletion': (s) => [
      s.watch([
        { ...onNode(s, 'a') },
        s.drop('a', {}),
        s.drop('a', { gracePeriodSeconds: 5 }),
        s.drop('a', { gracePeriodSeconds: 0 }),
        s.end(),
      ]),
    ],
  },
  'core.v1.Secret': {
    'by type': (s) => [
      s.watch([s.add('a'), { ...s.add('b'), body: { ...s.object({ name: 'b' }), type: 'example.com/t' } }, s.end()], {
        query: 'fieldSelector=type%3DOpaque',
      }),
    ],
  },
  'core.v1.Event': {
    'by reason': (s) => [
      s.watch([s.add('a'), { ...s.add('b'), body: { ...s.object({ name: 'b' }), reason: 'Other' } }, s.end()], {
        query: 'fieldSelector=reason%3DStarted',
      }),
    ],
    'by what it is about': (s) => [
      s.watch([s.add('a'), s.end()], {
        query: 'fieldSelector=involvedObject.kind%3DPod,involvedObject.name%3Dp,involvedObject.namespace%3D{ns}',
      }),
    ],
  },
  'core.v1.Namespace': {
    'by phase': (s) => [s.watch([s.add('a'), s.drop('a'), s.end()], { query: 'fieldSelector=status.phase%3DActive' })],
  },
  'core.v1.Node': {
    'by cordoned': (s) => [
      s.watch(
        [
          s.add('a'),
          s.change('a'),
          { ...s.end(), body: s.object({ name: s.named(END) }, { spec: { unschedulable: true } }) },
        ],
        { query: 'fieldSelector=spec.unschedulable%3Dtrue' },
      ),
    ],
  },
  'batch.v1.Job': {
    'by success': (s) => [s.watch([s.add('a'), s.end()], { query: 'fieldSelector=status.successful%3D0' })],
  },
  'apps.v1.Deployment': {
    'of scale and status': (s) => [
      s.watch([
        s.add('a'),
        {
          method: 'PATCH',
          path: `${s.at('a')}/scale`,
          body: { spec: { replicas: 4 } },
          headers: { 'content-type': 'application/merge-patch+json' },
          isSetUp: true,
        },
        {
          method: 'PATCH',
          path: `${s.at('a')}/status`,
          body: { status: { replicas: 4, observedGeneration: 2 } },
          headers: { 'content-type': 'application/merge-patch+json' },
          isSetUp: true,
        },
        s.end(),
      ]),
    ],
  },
};

function bind(s: Story, name: string, node: string): DiffRequest {
  return {
    method: 'POST',
    path: `${s.at(name)}/binding`,
    body: { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target: { kind: 'Node', name: node } },
    isSetUp: true,
  };
}

function phase(s: Story, name: string, to: string): DiffRequest {
  return {
    method: 'PATCH',
    path: `${s.at(name)}/status`,
    body: { status: { phase: to } },
    headers: { 'content-type': 'application/merge-patch+json' },
    isSetUp: true,
  };
}

const onNode = (s: Story, name = END): DiffRequest => ({
  ...s.add(name),
  body: s.object({ name }, { spec: { ...(s.kind.content['spec'] as Json), nodeName: 'n1' } }),
});

export function* watchCases(): Iterable<DiffCase> {
  for (const kind of kindCases.filter((k) => KINDS.has(k.label))) {
    const stories = { ...STORIES, ...SPECIAL[kind.label] };
    for (const [what, tell] of Object.entries(stories)) {
      if (what === 'in all namespaces' && !kind.served.namespaced) continue;
      const id = `watch/${kind.label}/${what}`;
      yield { id, area: 'watch', requests: tell(new Story(kind, kind.nameIn(id))) };
    }
  }
}
