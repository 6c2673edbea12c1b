import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseRequestInfo } from './request-info.ts';

describe('parseRequestInfo', () => {
  const cases: [string, string, Record<string, unknown>][] = [
    ['GET', '/api/v1/namespaces', { verb: 'list', resource: 'namespaces', namespace: '', name: '' }],
    ['GET', '/api/v1/namespaces/other', { verb: 'get', resource: 'namespaces', namespace: 'other', name: 'other' }],
    [
      'PUT',
      '/api/v1/namespaces/other/finalize',
      { verb: 'update', resource: 'namespaces', namespace: 'other', name: 'other', subresource: 'finalize' },
    ],
    ['GET', '/api/v1/namespaces/other/pods', { verb: 'list', resource: 'pods', namespace: 'other', name: '' }],
    ['GET', '/api/v1/namespaces/other/pods/foo', { verb: 'get', resource: 'pods', namespace: 'other', name: 'foo' }],
    ['HEAD', '/api/v1/namespaces/other/pods/foo', { verb: 'get', name: 'foo' }],
    ['GET', '/api/v1/pods?watch=true', { verb: 'watch', resource: 'pods' }],
    ['GET', '/api/v1/pods?watch=false', { verb: 'list', resource: 'pods' }],
    ['GET', '/api/v1/watch/namespaces/other/pods', { verb: 'watch', resource: 'pods', namespace: 'other' }],
    ['DELETE', '/api/v1/namespaces/other/pods', { verb: 'deletecollection', resource: 'pods' }],
    [
      'POST',
      '/api/v1/namespaces/other/pods/foo/exec?command=ls',
      { verb: 'create', subresource: 'exec', name: 'foo', rest: '' },
    ],
    ['GET', '/api/v1/namespaces/other/services/foo/proxy/a/b', { verb: 'get', subresource: 'proxy', rest: '/a/b' }],
    ['GET', '/api/v1/namespaces/other/services/foo/proxy/', { subresource: 'proxy', rest: '/' }],
    [
      'GET',
      '/apis/apps/v1/namespaces/d/deployments/x/scale',
      { apiGroup: 'apps', apiVersion: 'v1', resource: 'deployments', subresource: 'scale' },
    ],
    ['GET', '/api/v1', { isResourceRequest: false, verb: 'get', path: '/api/v1' }],
    ['GET', '/apis/apps/v1/', { isResourceRequest: false }],
    ['GET', '/healthz?verbose', { isResourceRequest: false, path: '/healthz' }],
    ['GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode', { name: 'system:node' }],
  ];
  for (const [method, target, expected] of cases) {
    it(`reads ${method} ${target}`, () => {
      const info = parseRequestInfo(method, target) as unknown as Record<string, unknown>;
      for (const [key, value] of Object.entries(expected)) assert.equal(info[key], value, key);
    });
  }

  it('refuses broken percent escapes', () => {
    assert.equal(parseRequestInfo('GET', '/api/v1/pods/%zz'), undefined);
  });
});
