// The model as nft text: whole tables, and transactions of elements. The nft parser wants a newline after each
// statement inside a block, and a transport protocol match before a dnat with a port.
import type { Action, Chain, Element, ElementChanges, Match, Rule, SetDeclaration, Table } from './rules.ts';

/** Elements on one line: long lines are slow for people only; the parser's buffer grows. */
const ELEMENTS_PER_LINE = 500;

/** Replaces the table with all its elements in one transaction, whether it exists or not. */
export function renderTable(table: Table, elements: readonly Element[]): string {
  const name = `ip ${table.name}`;
  const lines = [`add table ${name}`, `delete table ${name}`, `table ${name} {`];
  for (const set of table.sets) lines.push(...renderSet(set));
  // Chains may jump forward: declare them empty first.
  for (const chain of table.chains) if (chain.base === undefined) lines.push(`chain ${chain.name} {`, '}');
  for (const chain of table.chains) lines.push(...renderChain(chain));
  lines.push('}', ...renderElements('add', table.name, elements));
  return `${lines.join('\n')}\n`;
}

export function renderChanges(changes: ElementChanges): string {
  const lines = [
    ...renderElements('delete', changes.table, changes.remove),
    ...renderElements('add', changes.table, changes.add),
  ];
  return `${lines.join('\n')}\n`;
}

function renderElements(verb: 'add' | 'delete', table: string, elements: readonly Element[]): string[] {
  const bySet = new Map<string, string[]>();
  for (const { set, key, value } of elements) {
    const text = value === '' ? key : `${key} : ${value}`;
    const list = bySet.get(set);
    if (list === undefined) bySet.set(set, [text]);
    else list.push(text);
  }
  const lines: string[] = [];
  for (const [set, texts] of bySet) {
    for (let i = 0; i < texts.length; i += ELEMENTS_PER_LINE) {
      lines.push(`${verb} element ip ${table} ${set} { ${texts.slice(i, i + ELEMENTS_PER_LINE).join(', ')} }`);
    }
  }
  return lines;
}

function renderSet(set: SetDeclaration): string[] {
  const kind = set.value === undefined ? 'set' : 'map';
  const value = set.value === undefined ? '' : ` : ${set.value === 'verdict' ? 'verdict' : set.value.join(' . ')}`;
  const lines = [`${kind} ${set.name} {`, `type ${set.key.join(' . ')}${value}`];
  if (set.interval) lines.push('flags interval');
  if (set.learned !== undefined) lines.push(`size ${set.learned.size}`, 'flags dynamic,timeout');
  if (set.counter) lines.push('counter');
  lines.push('}');
  return lines;
}

function renderChain(chain: Chain): string[] {
  const lines = [`chain ${chain.name} {`];
  if (chain.base !== undefined) {
    const { type, hook, priority } = chain.base;
    lines.push(`type ${type} hook ${hook} priority ${priority}; policy accept;`);
  }
  for (const rule of chain.rules) lines.push(...renderRule(rule));
  lines.push('}');
  return lines;
}

/** One rule; a reject becomes two, by protocol. */
function renderRule(rule: Rule): string[] {
  const match = (rule.match ?? []).map(renderMatch);
  const comment = rule.why === undefined ? [] : [`comment "${rule.why}"`];
  if (rule.actions.some((a) => a.do === 'reject')) {
    const before = rule.actions.filter((a) => a.do !== 'reject').map(renderAction);
    return [
      [...match, 'meta l4proto tcp', ...before, 'reject with tcp reset', ...comment].join(' '),
      [...match, ...before, 'reject with icmp port-unreachable', ...comment].join(' '),
    ];
  }
  return [[...match, ...rule.actions.map(renderAction), ...comment].join(' ')];
}

function renderMatch(match: Match): string {
  switch (match.is) {
    case 'in':
      return `${match.key.join(' . ')} @${match.set}`;
    case 'not in':
      return `${match.key.join(' . ')} != @${match.set}`;
    case 'local':
      return `fib ${match.field} type local`;
    case 'not local':
      return `fib ${match.field} type != local`;
    case 'ct state':
      return `ct state ${match.states.join(',')}`;
    case 'dnatted':
      return 'ct status dnat';
    case 'ct mark bit':
      return `ct mark and ${match.mask} == ${match.mask}`;
    case 'proto':
      return match.protocols.length === 1
        ? `meta l4proto ${match.protocols[0]}`
        : `meta l4proto { ${match.protocols.join(', ')} }`;
    case 'within':
      return `${match.field} ${match.cidr}`;
    case 'outside':
      return `${match.field} != ${match.cidr}`;
    case 'not from loopback':
      return 'iifname != "lo"';
  }
}

function renderAction(action: Action): string {
  switch (action.do) {
    case 'count':
      return 'counter';
    case 'masquerade':
      return 'masquerade fully-random';
    case 'reject':
    case 'accept':
    case 'drop':
    case 'return':
      return action.do;
    case 'goto':
    case 'jump':
      return `${action.do} ${action.chain}`;
    case 'verdict':
      return `${action.key.join(' . ')} vmap @${action.map}`;
    case 'mark':
      return `${action.mark} set ${action.key.join(' . ')} map @${action.map}`;
    case 'random':
      return `meta mark set numgen random mod ${action.below}`;
    case 'remember':
      return `update @${action.map} { ${action.key.join(' . ')} timeout ${action.seconds}s : meta mark }`;
    case 'dnat':
      return `meta l4proto { tcp, udp, sctp } dnat ip to ${action.key.join(' . ')} map @${action.map}`;
  }
}
