import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { createAuditLog, DEFAULT_AUDIT_POLICY, ruleFor, type AuditRule } from './audit.ts';
import type { AuditRecord, RequestInfo } from './pipeline.ts';

const user = { name: 'bob', groups: ['dev'] };

function info(verb: string, resource: string, more: Partial<RequestInfo> = {}): RequestInfo {
  const [name, subresource = ''] = resource.split('/') as [string, string?];
  return {
    isResourceRequest: true,
    path: '/x',
    verb,
    apiGroup: '',
    apiVersion: 'v1',
    namespace: 'db',
    resource: name,
    subresource,
    name: 'p',
    rest: '',
    query: new URLSearchParams(),
    ...more,
  };
}

function record(of: RequestInfo, more: Partial<AuditRecord> = {}): AuditRecord {
  return {
    auditId: 'id-1',
    stage: 'ResponseComplete',
    info: of,
    method: 'GET',
    uri: '/x?y',
    user,
    impersonatedUser: undefined,
    sourceIPs: ['10.0.0.1'],
    userAgent: 'kubectl',
    code: 200,
    message: undefined,
    receivedMs: Date.UTC(2026, 0, 1),
    annotations: {},
    ...more,
  };
}

describe('DEFAULT_AUDIT_POLICY', () => {
  const cases: [RequestInfo, 'Metadata' | 'None'][] = [
    [info('create', 'pods/exec'), 'Metadata'],
    [info('create', 'pods/attach'), 'Metadata'],
    [info('create', 'pods/portforward'), 'Metadata'],
    [info('get', 'services/proxy'), 'Metadata'],
    [info('get', 'nodes/proxy'), 'Metadata'],
    [info('get', 'secrets'), 'Metadata'],
    [info('list', 'secrets'), 'Metadata'],
    [info('watch', 'secrets'), 'Metadata'],
    [info('create', 'secrets'), 'None'],
    [info('get', 'pods'), 'None'],
    [info('get', 'pods/log'), 'None'],
    [info('get', 'secrets', { apiGroup: 'example.com' }), 'None'],
  ];
  for (const [of, level] of cases) {
    it(`keeps ${level} of ${of.verb} ${of.apiGroup}/${of.resource}/${of.subresource}`, () => {
      assert.equal(ruleFor(DEFAULT_AUDIT_POLICY, of, user)?.level, level);
    });
  }
});

describe('ruleFor', () => {
  const cases: { when: string; rule: Partial<AuditRule>; of: RequestInfo; matches: boolean }[] = [
    { when: 'the user is named', rule: { users: ['bob'] }, of: info('get', 'pods'), matches: true },
    { when: 'another user is named', rule: { users: ['ann'] }, of: info('get', 'pods'), matches: false },
    { when: 'a group is named', rule: { userGroups: ['ops', 'dev'] }, of: info('get', 'pods'), matches: true },
    { when: 'the namespace is named', rule: { namespaces: ['db'] }, of: info('get', 'pods'), matches: true },
    { when: 'another namespace is named', rule: { namespaces: ['app'] }, of: info('get', 'pods'), matches: false },
    {
      when: 'all subresources are named',
      rule: { resources: [{ group: '', resources: ['pods/*'] }] },
      of: info('get', 'pods/log'),
      matches: true,
    },
    {
      when: 'a subresource of all is named',
      rule: { resources: [{ group: '', resources: ['*/log'] }] },
      of: info('get', 'pods/log'),
      matches: true,
    },
    {
      when: 'the resource alone is named',
      rule: { resources: [{ group: '', resources: ['pods'] }] },
      of: info('get', 'pods/log'),
      matches: false,
    },
    {
      when: 'URLs are named',
      rule: { nonResourceURLs: ['/healthz*'] },
      of: info('get', 'x', { isResourceRequest: false, path: '/healthz/ping' }),
      matches: true,
    },
    {
      when: 'URLs are named and a resource is asked',
      rule: { nonResourceURLs: ['*'] },
      of: info('get', 'pods'),
      matches: false,
    },
  ];
  for (const { when, rule, of, matches } of cases) {
    it(`${matches ? 'matches' : 'does not match'} when ${when}`, () => {
      assert.equal(ruleFor([{ level: 'Metadata', ...rule }], of, user) !== undefined, matches);
    });
  }
});

describe('createAuditLog', () => {
  function setUp(write: (text: string) => Promise<void>) {
    const metrics = new MetricsRegistry();
    const dropped = metrics.counter('apiserver_audit_error_total', 'lost');
    const log = createAuditLog({
      clock: new SteppedClock(Date.UTC(2026, 0, 1, 0, 0, 1)),
      output: { write },
      log: silentLog,
      dropped,
    });
    return { log, lost: () => Number(/apiserver_audit_error_total (\d+)/.exec([...metrics.print()].join(''))?.[1]) };
  }

  it('writes who, what, when and how it ended, a line each', async () => {
    let text = '';
    const { log } = setUp(async (t) => void (text += t));
    log.record(
      record(info('create', 'pods/exec'), {
        code: 403,
        message: 'no',
        impersonatedUser: { name: 'eve', groups: [] },
        annotations: { 'authorization.k8s.io/decision': 'forbid' },
      }),
    );
    log.record(record(info('get', 'pods')));
    log.record(record(info('get', 'secrets'), { stage: 'RequestReceived' }));
    await log.flush();
    assert.deepEqual(JSON.parse(text), {
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: 'Metadata',
      auditID: 'id-1',
      stage: 'ResponseComplete',
      requestURI: '/x?y',
      verb: 'create',
      user: { username: 'bob', groups: ['dev'] },
      impersonatedUser: { username: 'eve' },
      sourceIPs: ['10.0.0.1'],
      userAgent: 'kubectl',
      objectRef: { resource: 'pods', namespace: 'db', name: 'p', apiVersion: 'v1', subresource: 'exec' },
      responseStatus: { metadata: {}, status: 'Failure', message: 'no', code: 403 },
      requestReceivedTimestamp: '2026-01-01T00:00:00.000000Z',
      stageTimestamp: '2026-01-01T00:00:01.000000Z',
      annotations: { 'authorization.k8s.io/decision': 'forbid' },
    });
  });

  it('keeps the order over many lines', async () => {
    const seen: string[] = [];
    const { log } = setUp(async (t) => void seen.push(...t.trim().split('\n')));
    for (let i = 0; i < 1200; i++) log.record(record(info('get', 'secrets'), { auditId: String(i) }));
    await log.flush();
    assert.deepEqual(
      seen.map((l) => (JSON.parse(l) as { auditID: string }).auditID),
      Array.from({ length: 1200 }, (_, i) => String(i)),
    );
  });

  it('drops and counts what the sink cannot take, and never waits', async () => {
    const gate = Promise.withResolvers<void>();
    let lines = 0;
    const { log, lost } = setUp(async (t) => {
      await gate.promise;
      lines += t.split('\n').length - 1;
    });
    for (let i = 0; i < 10_050; i++) log.record(record(info('get', 'secrets')));
    assert.equal(lost(), 50);
    gate.resolve();
    await log.flush();
    assert.equal(lines, 10_000);
  });

  it('goes on after a failed write', async () => {
    let fail = true;
    let text = '';
    const { log, lost } = setUp(async (t) => {
      if (fail) throw new Error('disk full');
      text += t;
    });
    log.record(record(info('get', 'secrets')));
    await log.flush();
    assert.equal(lost(), 1);
    fail = false;
    log.record(record(info('get', 'secrets')));
    await log.flush();
    assert.notEqual(text, '');
  });
});
