// What a check returns: the state of its link, and the causes it found. explain.ts makes the report of all of them.
import { type Code, linkOf } from './codes.ts';
import type { Facts } from './facts.ts';
import type { Located } from './locate.ts';
import type { Cause, Cure, Evidence, LinkName, LinkState, ObjectField } from './report.ts';

export interface Finding extends Cause {
  readonly code: Code;
  /**
   * `sure`: by itself it breaks the connection. `likely`: it is the cause when a probe failed and nothing surer explains it.
   * `warning`: it does not break this connection.
   */
  readonly certainty: 'sure' | 'likely' | 'warning';
  /** The port that it speaks of: two findings about one port may be one trouble. */
  readonly port?: number;
}

export interface LinkResult {
  readonly link: LinkName;
  readonly state: LinkState;
  readonly detail: string;
  readonly evidence: readonly Evidence[];
  readonly findings: readonly Finding[];
}

/** Pure. Undefined: the link does not exist on this way. */
export type Check = (facts: Facts, located: Located) => LinkResult | undefined;

export interface FindingParts {
  readonly object?: ObjectField | undefined;
  readonly message: string;
  readonly evidence?: readonly Evidence[];
  readonly cure: readonly Cure[];
  readonly certainty?: Finding['certainty'];
  readonly port?: number | undefined;
}

export function finding(code: Code, parts: FindingParts): Finding {
  return {
    code,
    link: linkOf(code),
    ...(parts.object === undefined ? {} : { object: parts.object }),
    message: parts.message,
    evidence: parts.evidence ?? [],
    cure: parts.cure,
    certainty: parts.certainty ?? 'sure',
    ...(parts.port === undefined ? {} : { port: parts.port }),
  };
}

export const evidence = (source: string, text: string): Evidence => ({ source, text });
export const command = (text: string): Cure => ({ kind: 'command', text });
export const manifest = (text: string): Cure => ({ kind: 'manifest', text });
export const note = (text: string): Cure => ({ kind: 'note', text });

export const ok = (link: LinkName, detail: string, read: readonly Evidence[] = []): LinkResult => ({
  link,
  state: 'ok',
  detail,
  evidence: read,
  findings: [],
});

export const unknown = (link: LinkName, detail: string): LinkResult => ({
  link,
  state: 'unknown',
  detail,
  evidence: [],
  findings: [],
});

/** Broken without a cause of its own: what breaks it stands at a later link. */
export const consequence = (link: LinkName, detail: string, read: readonly Evidence[] = []): LinkResult => ({
  link,
  state: 'broken',
  detail,
  evidence: read,
  findings: [],
});

export function found(link: LinkName, findings: readonly Finding[], detail?: string): LinkResult {
  const worst = findings.find((f) => f.certainty === 'sure') ?? findings.find((f) => f.certainty === 'likely');
  const state = worst === undefined ? 'warned' : 'broken';
  const first = worst ?? findings[0]!;
  return { link, state, detail: detail ?? first.message, evidence: first.evidence, findings };
}

/** A manifest as YAML text, made by hand so that it reads as people write it: two spaces, lists not indented. */
export function yaml(value: unknown, indent = 0): string {
  const pad = ' '.repeat(indent);
  if (Array.isArray(value))
    return value.length === 0
      ? `${pad}[]\n`
      : value
          .map((v) => (isPlain(v) ? `${pad}- ${scalar(v)}\n` : `${pad}- ${yaml(v, indent + 2).slice(indent + 2)}`))
          .join('');
  if (typeof value !== 'object' || value === null) return `${pad}${scalar(value)}\n`;
  return Object.entries(value)
    .filter(([, v]) => v !== undefined)
    .map(([key, v]) => {
      if (isPlain(v)) return `${pad}${scalar(key)}: ${scalar(v)}\n`;
      return `${pad}${scalar(key)}:\n${yaml(v, Array.isArray(v) ? indent : indent + 2)}`;
    })
    .join('');
}

const isPlain = (v: unknown): boolean =>
  typeof v !== 'object' || v === null || (Array.isArray(v) ? v.length === 0 : Object.keys(v).length === 0);

function scalar(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? '[]' : '{}';
  if (typeof value !== 'string') return String(value);
  return /^[A-Za-z][\w./-]*$/.test(value) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(value)
    ? value
    : JSON.stringify(value);
}
