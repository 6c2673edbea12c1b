// DELETE of objects and collections.
import { PARTIAL, TABLE } from './create.ts';
import type { Script, Subject } from './script.ts';

const options = (more: object) => ({ apiVersion: 'v1', kind: 'DeleteOptions', ...more });
const deletes = (what: string, breadth: Script['for'], body: unknown, query = ''): Script => ({
  what: `delete ${what}`,
  for: breadth,
  requests: (s) => [s.made(), s.remove(body, query), s.get()],
});
const removeAll = (s: Subject, query = '', body?: unknown) => ({
  method: 'DELETE',
  path: s.mine + query,
  ...(body === undefined ? {} : { body }),
});
const OTHER_UID = '7c1c4f9e-0000-4000-8000-000000000001';
const takesWords = (k: { served: { resource: string } }) => k.served.resource !== 'ipaddresses';

export const deleteScripts: readonly Script[] = [
  deletes('without options', 'all', undefined),
  deletes('in the background', 'all', options({ propagationPolicy: 'Background' })),
  deletes('in the foreground', 'all', options({ propagationPolicy: 'Foreground' })),
  deletes('that leaves orphans', 'all', options({ propagationPolicy: 'Orphan' })),
  deletes('by an unknown policy', 'all', options({ propagationPolicy: 'Sideways' })),
  deletes('that leaves orphans, as of old', 'some', options({ orphanDependents: true })),
  deletes('that leaves no orphans, as of old', 'some', options({ orphanDependents: false })),
  deletes('by two policies', 'all', options({ propagationPolicy: 'Background', orphanDependents: false })),
  deletes('by a policy in the query', 'some', undefined, '?propagationPolicy=Foreground'),
  deletes('with a dry run', 'all', options({ dryRun: ['All'] })),
  deletes('with a dry run in the query', 'some', undefined, '?dryRun=All'),
  deletes('with a dry run of an unknown sort', 'some', options({ dryRun: ['Some'] })),
  deletes('without grace', 'all', options({ gracePeriodSeconds: 0 })),
  deletes('with grace', 'all', options({ gracePeriodSeconds: 5 })),
  deletes('with grace in the query', 'some', undefined, '?gracePeriodSeconds=5'),
  deletes('with grace of words in the query', 'some', undefined, '?gracePeriodSeconds=soon'),
  deletes('with less than no grace', 'some', options({ gracePeriodSeconds: -1 })),
  deletes('of its uid', 'all', options({ preconditions: { uid: '{uid:0}' } })),
  deletes('of another uid', 'all', options({ preconditions: { uid: OTHER_UID } })),
  deletes('of its version', 'all', options({ preconditions: { resourceVersion: '{rv:0}' } })),
  deletes('of another version', 'all', options({ preconditions: { resourceVersion: '1' } })),
  deletes('of uid and version', 'some', options({ preconditions: { uid: '{uid:0}', resourceVersion: '1' } })),
  deletes('with options without a kind', 'some', { propagationPolicy: 'Background' }),
  deletes('with options of another kind', 'some', { kind: 'Thing', apiVersion: 'v1' }),
  deletes('with options of the group', 'some', { kind: 'DeleteOptions', apiVersion: 'apps/v1' }),
  deletes('with an unknown option', 'some', options({ colour: 'red' })),
  deletes('with half a body', 'all', '{"kind":'),
  deletes('with an empty object', 'some', {}),
  deletes('with an empty body', 'some', ''),
  { what: 'delete of an absent one', for: 'all', isSingle: true, requests: (s) => [s.remove()] },
  {
    what: 'delete of an absent one of a uid',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.remove(options({ preconditions: { uid: OTHER_UID } }))],
  },
  {
    what: 'delete twice',
    for: 'all',
    requests: (s) => [
      s.made(),
      { ...s.remove(options({ gracePeriodSeconds: 0 })), isSetUp: true },
      s.remove(options({ gracePeriodSeconds: 0 })),
    ],
  },
  {
    what: 'delete and create again',
    for: 'all',
    requests: (s) => [s.made(), { ...s.remove(options({ gracePeriodSeconds: 0 })), isSetUp: true }, s.create()],
  },
  {
    what: 'delete for a table',
    for: 'some',
    requests: (s) => [s.made(), { ...s.remove(), headers: { accept: TABLE } }],
  },
  {
    what: 'delete for partial metadata',
    for: 'some',
    requests: (s) => [s.made(), { ...s.remove(), headers: { accept: PARTIAL } }],
  },
  {
    what: 'delete with options as text',
    for: 'some',
    requests: (s) => [s.made(), { ...s.remove(options({})), headers: { 'content-type': 'text/plain' } }],
  },
  {
    what: 'delete with finalizers',
    for: 'all',
    requests: (s) => [
      s.made({ finalizers: ['example.com/a', 'example.com/b'] }),
      s.remove(options({ propagationPolicy: 'Background', gracePeriodSeconds: 0 })),
      s.remove(options({ propagationPolicy: 'Foreground', gracePeriodSeconds: 0 })),
      s.patch('merge', { metadata: { finalizers: ['example.com/a', 'example.com/b', 'example.com/c'] } }),
      s.patch('merge', { metadata: { finalizers: ['example.com/b'] } }),
      s.patch('merge', { metadata: { labels: { still: 'here' } } }),
      s.create(),
      s.patch('merge', { metadata: { finalizers: null } }),
      s.get(),
    ],
  },
  {
    what: 'delete of a collection',
    for: 'all',
    needs: takesWords,
    requests: (s) => [
      s.made({ name: 'a-{id}' }),
      s.made({ name: 'b-{id}' }),
      s.made({ name: 'c-{id}', labels: { case: 'not-{id}' } }),
      removeAll(s),
      { method: 'GET', path: `${s.all}?labelSelector=${encodeURIComponent('case in (')}{id},not-{id})` },
    ],
  },
  { what: 'delete of a collection of nothing', for: 'all', isSingle: true, requests: (s) => [removeAll(s)] },
  {
    what: 'delete of a collection with a dry run',
    for: 'some',
    requests: (s) => [s.made(), removeAll(s, '&dryRun=All'), s.get()],
  },
  {
    what: 'delete of a collection by name',
    for: 'some',
    requests: (s) => [s.made(), removeAll(s, `&fieldSelector=metadata.name%3D${s.name}`), s.get()],
  },
  {
    what: 'delete of a collection by an unknown field',
    for: 'some',
    isSingle: true,
    requests: (s) => [removeAll(s, '&fieldSelector=spec.colour%3Dred')],
  },
  {
    what: 'delete of a collection by a malformed selector',
    for: 'all',
    isSingle: true,
    requests: (s) => [{ method: 'DELETE', path: `${s.all}?labelSelector=a%20in` }],
  },
  {
    what: 'delete of a collection in the foreground',
    for: 'some',
    requests: (s) => [s.made(), removeAll(s, '', options({ propagationPolicy: 'Foreground' })), s.get()],
  },
  {
    what: 'delete of a collection with a limit',
    for: 'some',
    requests: (s) => [
      s.made({ name: 'a-{id}' }),
      s.made({ name: 'b-{id}' }),
      removeAll(s, '&limit=1'),
      { method: 'GET', path: s.mine },
    ],
  },
  {
    what: 'delete of a collection of an old version',
    for: 'some',
    requests: (s) => [
      s.made({ name: 'a-{id}' }),
      s.made({ name: 'b-{id}' }),
      removeAll(s, '&resourceVersion={rv:0}'),
      { method: 'GET', path: s.mine },
    ],
  },
];
