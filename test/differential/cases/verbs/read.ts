// GET of objects and lists: selectors, pages, versions, and every form of answer.
import { PARTIAL, PARTIAL_LIST, PROTOBUF, TABLE } from './create.ts';
import { isNamespaced, type Script, type Subject } from './script.ts';

const list = (s: Subject, query: string, accept?: string) => ({
  method: 'GET',
  path: `${s.mine}${query === '' ? '' : `&${query}`}`,
  ...(accept === undefined ? {} : { headers: { accept } }),
});
const listAs = (what: string, breadth: Script['for'], query: string, accept?: string): Script => ({
  what: `list ${what}`,
  for: breadth,
  requests: (s) => [s.made(), list(s, query, accept)],
});
const named = (s: Subject, name: string) => ({ ...s.made({ name }), isSetUp: true });
const inAll = (s: Subject) => s.all.replace('/namespaces/{ns}', '');
/** Names that every kind takes are few: roles of RBAC take all, addresses only addresses. */
const takesWords = (k: { served: { resource: string } }) => k.served.resource !== 'ipaddresses';

export const readScripts: readonly Script[] = [
  { what: 'get of an absent one', for: 'all', isSingle: true, requests: (s) => [s.get()] },
  {
    what: 'get of an absent one for a table',
    for: 'some',
    isSingle: true,
    requests: (s) => [{ ...s.get(), headers: { accept: TABLE } }],
  },
  {
    what: 'get of an absent one for protobuf',
    for: 'some',
    isSingle: true,
    requests: (s) => [{ ...s.get(), headers: { accept: PROTOBUF } }],
  },
  {
    what: 'get of a malformed name',
    for: 'some',
    isSingle: true,
    requests: (s) => [{ method: 'GET', path: `${s.all}/Not_A%20Name` }],
  },
  {
    what: 'get in a namespace that is not there',
    for: 'some',
    isSingle: true,
    needs: isNamespaced,
    requests: (s) => [{ method: 'GET', path: s.one.replace('{ns}', 'nowhere') }],
  },
  { what: 'get as a table', for: 'all', requests: (s) => [s.made(), { ...s.get(), headers: { accept: TABLE } }] },
  {
    what: 'get as a table with whole objects',
    for: 'some',
    requests: (s) => [s.made(), { ...s.get('?includeObject=Object'), headers: { accept: TABLE } }],
  },
  {
    what: 'get as a table of v1beta1',
    for: 'some',
    requests: (s) => [
      s.made(),
      { ...s.get(), headers: { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1beta1' } },
    ],
  },
  {
    what: 'get as a table of v2',
    for: 'some',
    requests: (s) => [s.made(), { ...s.get(), headers: { accept: 'application/json;as=Table;g=meta.k8s.io;v=v2' } }],
  },
  {
    what: 'get as partial metadata',
    for: 'all',
    requests: (s) => [s.made(), { ...s.get(), headers: { accept: PARTIAL } }],
  },
  {
    what: 'get as a list of partial metadata',
    for: 'some',
    requests: (s) => [s.made(), { ...s.get(), headers: { accept: PARTIAL_LIST } }],
  },
  { what: 'get as protobuf', for: 'all', requests: (s) => [s.made(), { ...s.get(), headers: { accept: PROTOBUF } }] },
  {
    what: 'get as protobuf or JSON',
    for: 'some',
    requests: (s) => [s.made(), { ...s.get(), headers: { accept: `${PROTOBUF},application/json` } }],
  },
  {
    what: 'get as YAML',
    for: 'some',
    requests: (s) => [s.made(), { ...s.get('x'), headers: { accept: 'application/yaml' } }],
  },
  {
    what: 'get as XML',
    for: 'all',
    isSingle: true,
    requests: (s) => [{ ...s.get(), headers: { accept: 'application/xml' } }],
  },
  {
    what: 'get as an unknown transformation',
    for: 'some',
    requests: (s) => [s.made(), { ...s.get(), headers: { accept: 'application/json;as=Poem;g=meta.k8s.io;v=v1' } }],
  },
  { what: 'get as anything', for: 'some', requests: (s) => [s.made(), { ...s.get(), headers: { accept: '*/*' } }] },
  { what: 'get without Accept', for: 'some', requests: (s) => [s.made(), { ...s.get(), headers: { accept: '' } }] },
  {
    what: 'get with preferences',
    for: 'some',
    requests: (s) => [s.made(), { ...s.get(), headers: { accept: 'application/xml;q=0.9,application/json;q=0.1' } }],
  },
  { what: 'get pretty', for: 'some', requests: (s) => [s.made(), s.get('?pretty=true')] },
  { what: 'get at any version', for: 'some', requests: (s) => [s.made(), s.get(), s.get('?resourceVersion=0')] },
  { what: 'get at a known version', for: 'some', requests: (s) => [s.made(), s.get('?resourceVersion={rv:0}')] },
  {
    what: 'get at a version to come',
    for: 'some',
    isSingle: true,
    requests: (s) => [s.get('?resourceVersion=999999999')],
  },
  { what: 'get at no version', for: 'all', isSingle: true, requests: (s) => [s.get('?resourceVersion=now')] },
  { what: 'head', for: 'some', requests: (s) => [s.made(), { method: 'HEAD', path: s.one }] },
  { what: 'head of an absent one', for: 'some', isSingle: true, requests: (s) => [{ method: 'HEAD', path: s.one }] },

  { what: 'list of nothing', for: 'all', isSingle: true, requests: (s) => [{ method: 'GET', path: s.mine }] },
  {
    what: 'list of nothing as a table',
    for: 'all',
    isSingle: true,
    requests: (s) => [{ method: 'GET', path: s.mine, headers: { accept: TABLE } }],
  },
  {
    what: 'list in a namespace that is not there',
    for: 'some',
    isSingle: true,
    needs: isNamespaced,
    requests: (s) => [{ method: 'GET', path: s.all.replace('{ns}', 'nowhere') }],
  },
  {
    what: 'list in all namespaces',
    for: 'all',
    needs: isNamespaced,
    requests: (s) => [s.made(), { method: 'GET', path: `${inAll(s)}?labelSelector=case%3D{id}` }],
  },
  {
    what: 'list in all namespaces by field',
    for: 'some',
    needs: isNamespaced,
    requests: (s) => [s.made(), { method: 'GET', path: `${inAll(s)}?fieldSelector=metadata.namespace%3D{ns}` }],
  },
  listAs('by label', 'all', ''),
  listAs('as a table', 'all', '', TABLE),
  listAs('as a table with whole objects', 'all', 'includeObject=Object', TABLE),
  listAs('as a table without objects', 'all', 'includeObject=None', TABLE),
  listAs('as a table with something of objects', 'some', 'includeObject=Some', TABLE),
  listAs('as a table or JSON', 'some', '', `${TABLE},application/json`),
  listAs('as partial metadata', 'all', '', PARTIAL_LIST),
  listAs('as partial metadata of one', 'some', '', PARTIAL),
  listAs('as protobuf', 'all', '', PROTOBUF),
  listAs('as a table of protobuf', 'some', '', 'application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1'),
  listAs(
    'as partial metadata of protobuf',
    'some',
    '',
    'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
  ),
  listAs('as YAML', 'some', '', 'application/yaml;x=y'),
  listAs('as XML', 'some', '', 'text/xml'),
  listAs('by name', 'all', 'fieldSelector=metadata.name%3Dabsent'),
  listAs('by another name than', 'all', 'fieldSelector=metadata.name!%3Dabsent'),
  listAs('by an unknown field', 'all', 'fieldSelector=spec.colour%3Dred'),
  listAs('by a malformed field selector', 'some', 'fieldSelector=a'),
  listAs('by two fields', 'some', 'fieldSelector=metadata.name%3Da,metadata.name%3Db'),
  listAs('with a limit of one of one', 'all', 'limit=1'),
  listAs('with a limit of nothing', 'some', 'limit=0'),
  listAs('with a negative limit', 'some', 'limit=-1'),
  listAs('with a limit of words', 'all', 'limit=many'),
  listAs('with a malformed continue token', 'all', 'limit=1&continue=abc'),
  listAs(
    'with a continue token of JSON',
    'some',
    `limit=1&continue=${Buffer.from('{"v":"meta.k8s.io/v1","rv":1,"start":"a"}').toString('base64url')}`,
  ),
  listAs(
    'with a continue token of an old version',
    'some',
    `limit=1&continue=${Buffer.from('{"v":"meta.k8s.io/v0","rv":1,"start":"a"}').toString('base64url')}`,
  ),
  listAs('at no version', 'all', 'resourceVersion=now'),
  listAs('at a version to come', 'some', 'resourceVersion=999999999'),
  listAs('at a version to come exactly', 'some', 'resourceVersion=999999999&resourceVersionMatch=Exact'),
  listAs('at a known version', 'some', 'resourceVersion={rv:0}'),
  listAs('exactly at a known version', 'all', 'resourceVersion={rv:0}&resourceVersionMatch=Exact'),
  listAs('not older than a known version', 'all', 'resourceVersion={rv:0}&resourceVersionMatch=NotOlderThan'),
  listAs('exactly at version 0', 'some', 'resourceVersion=0&resourceVersionMatch=Exact'),
  listAs('not older than nothing', 'some', 'resourceVersionMatch=NotOlderThan'),
  listAs('of an unknown match', 'all', 'resourceVersion={rv:0}&resourceVersionMatch=About'),
  listAs('exactly at version 1', 'some', 'resourceVersion=1&resourceVersionMatch=Exact'),
  listAs('with initial events and no watch', 'some', 'sendInitialEvents=true'),
  listAs('with a timeout of words', 'some', 'timeoutSeconds=soon'),
  {
    what: 'list by label sets',
    for: 'some',
    needs: takesWords,
    requests: (s) => {
      const at = (selector: string) => ({
        method: 'GET',
        path: `${s.all}?labelSelector=${encodeURIComponent(`case={id},${selector}`).replaceAll('%7B', '{').replaceAll('%7D', '}')}`,
      });
      return [
        s.made({ name: 'a-{id}', labels: { case: '{id}', tier: 'x', n: '1' } }),
        s.made({ name: 'b-{id}', labels: { case: '{id}', tier: 'y', n: '5' } }),
        s.made({ name: 'c-{id}', labels: { case: '{id}' } }),
        ...[
          'tier',
          '!tier',
          'tier=x',
          'tier==x',
          'tier!=x',
          'tier in (x,y)',
          'tier notin (x)',
          'n>2',
          'n<2',
          'tier in (x,y),n=5',
          'tier in ()',
        ].map(at),
      ];
    },
  },
  {
    what: 'list by malformed label selectors',
    for: 'all',
    isSingle: true,
    requests: (s) =>
      [
        'a in',
        'a b',
        'a=b=c',
        '!a=b',
        'a in (b',
        'n>x',
        'x y=z',
        'a=b c',
        `${'k'.repeat(64)}=v`,
        `k=${'v'.repeat(64)}`,
      ].map((selector) => ({ method: 'GET', path: `${s.all}?labelSelector=${encodeURIComponent(selector)}` })),
  },
  {
    what: 'list in pages',
    for: 'all',
    needs: takesWords,
    requests: (s) => [
      ...['c', 'a', 'b'].map((name) => named(s, `${name}-{id}`)),
      list(s, 'limit=2'),
      list(s, 'limit=2&continue={continue:3}'),
      list(s, 'limit=1&continue={continue:3}'),
    ],
  },
  {
    what: 'list in pages as a table',
    for: 'some',
    requests: (s) => [
      ...['c', 'a', 'b'].map((name) => named(s, `${name}-{id}`)),
      list(s, 'limit=2', TABLE),
      list(s, 'limit=2&continue={continue:3}', TABLE),
    ],
  },
  {
    what: 'list in pages while it changes',
    for: 'some',
    requests: (s) => [
      ...['c', 'a', 'b'].map((name) => named(s, `${name}-{id}`)),
      list(s, 'limit=1'),
      named(s, 'd-{id}'),
      { method: 'DELETE', path: `${s.all}/b-{id}`, isSetUp: true },
      list(s, 'limit=5&continue={continue:3}'),
      list(s, ''),
    ],
  },
  {
    what: 'list in pages at a version',
    for: 'some',
    requests: (s) => [
      ...['c', 'a', 'b'].map((name) => named(s, `${name}-{id}`)),
      list(s, 'limit=1&resourceVersion={rv:2}'),
      list(s, 'limit=1&resourceVersion={rv:2}&resourceVersionMatch=Exact'),
      list(s, 'limit=1&resourceVersion={rv:2}&continue={continue:4}'),
      list(s, 'limit=1&resourceVersionMatch=Exact&continue={continue:4}'),
      list(s, 'limit=1&resourceVersion=0'),
      list(s, 'limit=1&resourceVersion=0&resourceVersionMatch=NotOlderThan'),
    ],
  },
  {
    what: 'list exactly before and after a change',
    for: 'all',
    requests: (s) => [
      s.made(),
      s.patch('merge', { metadata: { labels: { more: 'yes' } } }),
      list(s, 'resourceVersion={rv:0}&resourceVersionMatch=Exact'),
      list(s, 'resourceVersion={rv:1}&resourceVersionMatch=Exact'),
    ],
  },
];
