import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explain } from './explain.ts';
import { failed, connected, makeFacts, makePolicy, makeService } from './testing.ts';
import { formatReport } from './text.ts';

const options = { color: false, target: 'tcp://postgres.db:5432', source: 'pod/api' };
const shown = (facts: ReturnType<typeof makeFacts>) => formatReport(explain(facts), options);

describe('formatReport', () => {
  it('begins with the verdict and ends with the chain', () => {
    const lines = shown(makeFacts({ probe: connected() }))
      .trimEnd()
      .split('\n');
    assert.equal(lines[0], 'tcp://postgres.db:5432 from pod/api: ok');
    assert.match(lines.at(-1)!, /^· storage/);
    assert.ok(lines.some((l) => l.startsWith('✓ service')));
  });

  it('shows the cause with its place, its evidence and its cure', () => {
    const services = [makeService({ selector: { app: 'postgress' } })];
    const text = shown(makeFacts({ services, probe: failed('refused') }));
    assert.match(text, /^SelectorMatchesNothing \(endpoint\): no pod in namespace db/m);
    assert.match(text, /^ {2}where: Service db\/postgres spec\.selector$/m);
    assert.match(text, /^ {2}seen: {2}Service db\/postgres spec\.selector: app=postgress$/m);
    assert.match(text, /^ {2}cure:\n {4}kubectl -n db patch service postgres/m);
  });

  it('writes a manifest so that it can be pasted: at the start of its lines', () => {
    const policies = [makePolicy('db', { podSelector: {}, policyTypes: ['Ingress'] })];
    const text = shown(makeFacts({ policies, probe: failed('timeout') }));
    assert.match(text, /^kubectl apply -f - <<'END'\napiVersion: networking\.k8s\.io\/v1\n/m);
    assert.match(text, /\nEND\n/);
  });

  it('says that it does not know, and what it may not read', () => {
    const text = shown(makeFacts({ more: { denied: [{ kind: 'policies', permission: 'list networkpolicies' }] } }));
    assert.match(text, /^Nothing that could be read is broken, and no probe proved that it works\.$/m);
    assert.match(text, /missing permission: list networkpolicies/);
  });

  it('paints only when told to', () => {
    const report = explain(makeFacts({ probe: connected() }));
    assert.doesNotMatch(formatReport(report, options), new RegExp('\u001b'));
    assert.match(formatReport(report, { ...options, color: true }), /\u001b\[32mok/);
  });
});
