// Every resource × every verb.
import type { DiffCase } from '../../case.ts';

export function* verbCases(): Iterable<DiffCase> {
  const cms = '/api/v1/namespaces/{ns}/configmaps';
  const one = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { x: '1' } };
  yield { id: 'verbs/core.v1.ConfigMap/create', area: 'verbs', requests: [{ method: 'POST', path: cms, body: one }] };
  yield {
    id: 'verbs/core.v1.ConfigMap/get of an absent one',
    area: 'verbs',
    requests: [{ method: 'GET', path: `${cms}/a` }],
  };
  yield {
    id: 'verbs/version',
    area: 'verbs',
    requests: [
      {
        method: 'GET',
        path: '/version',
        alsoHeaders: [
          'audit-id',
          'x-kubernetes-pf-flowschema-uid',
          'date',
          'x-content-type-options',
          'content-encoding',
        ],
      },
    ],
  };
  yield {
    id: 'verbs/core.v1.Pod/create',
    area: 'verbs',
    requests: [
      {
        method: 'POST',
        path: '/api/v1/namespaces/{ns}/pods',
        body: {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name: 'a' },
          spec: { containers: [{ name: 'c', image: 'i' }] },
        },
      },
      { method: 'DELETE', path: '/api/v1/namespaces/{ns}/pods/a' },
    ],
  };
  yield {
    id: 'verbs/core.v1.ConfigMap/table',
    area: 'verbs',
    requests: [
      { method: 'POST', path: cms, body: one, isSetUp: true },
      { method: 'GET', path: cms, headers: { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' } },
    ],
  };
}
