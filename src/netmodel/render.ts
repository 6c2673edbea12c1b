// The model as nft text: whole tables, and transactions of elements. The nft parser wants a newline after each
// statement inside a block, and a transport protocol match before a dnat with a port.
import { FAMILIES, type Family } from './family.ts';
import type {
  Action,
  Chain,
  Element,
  ElementChanges,
  Field,
  FieldType,
  Match,
  Rule,
  SetDeclaration,
  Table,
} from './rules.ts';

/** Elements on one line: long lines are slow for people only; the parser's buffer grows. */
const ELEMENTS_PER_LINE = 500;

/** Replaces the table with all its elements in one transaction, whether it exists or not. */
export function renderTable(table: Table, elements: readonly Element[]): string {
  const { family = 4 } = table;
  const name = `${FAMILIES[family].nft} ${table.name}`;
  const lines = [`add table ${name}`, `delete table ${name}`, `table ${name} {`];
  for (const set of table.sets) lines.push(...renderSet(set, family));
  // Chains may jump forward: declare them empty first.
  for (const chain of table.chains) if (chain.base === undefined) lines.push(`chain ${chain.name} {`, '}');
  for (const chain of table.chains) lines.push(...renderChain(chain, family));
  lines.push('}', ...renderElements('add', name, elements));
  return `${lines.join('\n')}\n`;
}

export function renderChanges(changes: ElementChanges): string {
  const name = `${FAMILIES[changes.family ?? 4].nft} ${changes.table}`;
  const lines = [...renderElements('delete', name, changes.remove), ...renderElements('add', name, changes.add)];
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
      lines.push(`${verb} element ${table} ${set} { ${texts.slice(i, i + ELEMENTS_PER_LINE).join(', ')} }`);
    }
  }
  return lines;
}

function renderSet(set: SetDeclaration, family: Family): string[] {
  const types = (fields: readonly FieldType[]) =>
    fields.map((f) => (f === 'address' ? FAMILIES[family].addressType : f)).join(' . ');
  const kind = set.value === undefined ? 'set' : 'map';
  const value = set.value === undefined ? '' : ` : ${set.value === 'verdict' ? 'verdict' : types(set.value)}`;
  const lines = [`${kind} ${set.name} {`, `type ${types(set.key)}${value}`];
  if (set.interval) lines.push('flags interval');
  if (set.learned !== undefined) lines.push(`size ${set.learned.size}`, 'flags dynamic,timeout');
  if (set.counter) lines.push('counter');
  lines.push('}');
  return lines;
}

function renderChain(chain: Chain, family: Family): string[] {
  const lines = [`chain ${chain.name} {`];
  if (chain.base !== undefined) {
    const { type, hook, priority } = chain.base;
    lines.push(`type ${type} hook ${hook} priority ${priority}; policy accept;`);
  }
  for (const rule of chain.rules) lines.push(...renderRule(rule, family));
  lines.push('}');
  return lines;
}

/** One rule; a reject becomes two, by protocol. */
function renderRule(rule: Rule, family: Family): string[] {
  const match = (rule.match ?? []).map((m) => renderMatch(m, family));
  const comment = rule.why === undefined ? [] : [`comment "${rule.why}"`];
  if (rule.actions.some((a) => a.do === 'reject')) {
    const before = rule.actions.filter((a) => a.do !== 'reject').map((a) => renderAction(a, family));
    return [
      [...match, 'meta l4proto tcp', ...before, 'reject with tcp reset', ...comment].join(' '),
      [...match, ...before, `reject with ${FAMILIES[family].icmp} port-unreachable`, ...comment].join(' '),
    ];
  }
  return [[...match, ...rule.actions.map((a) => renderAction(a, family)), ...comment].join(' ')];
}

/** A field, or several joined, as the table's family calls them. */
function fieldText(fields: Field | readonly Field[], family: Family): string {
  return [fields]
    .flat()
    .map((f) => f.replace(/^ip /, `${FAMILIES[family].nft} `))
    .join(' . ');
}

function renderMatch(match: Match, family: Family): string {
  switch (match.is) {
    case 'in':
      return `${fieldText(match.key, family)} @${match.set}`;
    case 'not in':
      return `${fieldText(match.key, family)} != @${match.set}`;
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
      return `${fieldText(match.field, family)} ${match.cidr}`;
    case 'outside':
      return `${fieldText(match.field, family)} != ${match.cidr}`;
    case 'not from loopback':
      return 'iifname != "lo"';
    case 'foreign sender':
      return 'iifname "veth*" fib saddr . iif oif missing';
    case 'neighbour discovery':
      return 'icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }';
  }
}

function renderAction(action: Action, family: Family): string {
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
      return `${fieldText(action.key, family)} vmap @${action.map}`;
    case 'mark':
      return `${action.mark} set ${fieldText(action.key, family)} map @${action.map}`;
    case 'random':
      return `meta mark set numgen random mod ${action.below}`;
    case 'hash sender':
      return `meta priority set jhash ${fieldText('ip saddr', family)} mod 4294967295 seed 1`;
    case 'remember':
      return `update @${action.map} { ${fieldText(action.key, family)} timeout ${action.seconds}s : meta mark }`;
    case 'dnat':
      return `meta l4proto { tcp, udp, sctp } dnat ${FAMILIES[family].nft} to ${fieldText(action.key, family)} map @${action.map}`;
  }
}
