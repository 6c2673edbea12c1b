// The report for a terminal: the verdict, its cause with evidence and cure, then the chain.
import type { Cause, Link, LinkState, ObjectField, Report } from './report.ts';

export interface TextOptions {
  readonly color: boolean;
  /** Of the question, for the first line. */
  readonly target: string;
  readonly source: string;
}

type Paint = (text: string) => string;

interface Palette {
  readonly good: Paint;
  readonly bad: Paint;
  readonly warn: Paint;
  readonly dim: Paint;
  readonly bold: Paint;
}

const painted = (on: boolean): Palette => {
  const code = (n: number): Paint => (on ? (text) => `\u001b[${n}m${text}\u001b[0m` : (text) => text);
  return { good: code(32), bad: code(31), warn: code(33), dim: code(2), bold: code(1) };
};

const MARKS: Readonly<Record<LinkState, string>> = {
  ok: '✓',
  broken: '✗',
  warned: '!',
  unknown: '?',
  'not checked': '·',
};

export function formatReport(report: Report, options: TextOptions): string {
  const paint = painted(options.color);
  const out: string[] = [];
  const { verdict, cause } = report;
  const word = verdict === 'ok' ? paint.good('ok') : verdict === 'broken' ? paint.bad('broken') : paint.warn('unknown');
  out.push(`${paint.bold(options.target)} from ${options.source}: ${word}`, '');
  if (cause !== undefined) out.push(...formatCause(cause, paint, paint.bad), '');
  else if (verdict === 'broken')
    out.push('The connection fails, and what can be seen from here does not say why; see what is unknown below.', '');
  else if (verdict === 'unknown')
    out.push('Nothing that could be read is broken, and no probe proved that it works.', '');
  for (const other of report.alsoBroken)
    out.push(paint.bold('Also broken, and not mended by that:'), ...formatCause(other, paint, paint.bad), '');
  for (const warning of report.warnings)
    out.push(paint.bold('Warning:'), ...formatCause(warning, paint, paint.warn), '');
  out.push(...report.links.map((l) => formatLink(l, paint)));
  const missing = report.notChecked.filter(
    (n) => n.reason.startsWith('missing permission') || n.reason.startsWith('no probe'),
  );
  if (missing.length > 0) out.push('', ...missing.map((n) => paint.dim(`not checked: ${n.link}: ${n.reason}`)));
  return `${out.join('\n')}\n`;
}

export function formatObject(object: ObjectField): string {
  const place = object.namespace === undefined ? '' : `${object.namespace}/`;
  return `${object.kind} ${place}${object.name}${object.field === undefined ? '' : ` ${object.field}`}`;
}

function formatCause(cause: Cause, paint: Palette, color: Paint): string[] {
  const out = [`${color(cause.code)} (${cause.link}): ${cause.message}`];
  if (cause.object !== undefined) out.push(`  where: ${formatObject(cause.object)}`);
  for (const e of cause.evidence) out.push(paint.dim(`  seen:  ${e.source}: ${e.text}`));
  for (const cure of cause.cure) {
    if (cure.kind === 'note') out.push(`  note:  ${cure.text}`);
    else if (cure.kind === 'command') out.push('  cure:', ...indent(cure.text));
    else out.push('  cure:', ...indent(`kubectl apply -f - <<'END'\n${cure.text.trimEnd()}\nEND`));
  }
  return out;
}

/** Pasted as it stands: what is inside a here-document must begin at the line's start. */
const indent = (text: string): string[] => (text.includes("<<'END'") ? text.split('\n') : [`    ${text}`]);

function formatLink(link: Link, paint: Palette): string {
  const color =
    link.state === 'ok'
      ? paint.good
      : link.state === 'broken'
        ? paint.bad
        : link.state === 'not checked'
          ? paint.dim
          : paint.warn;
  const line = `${color(MARKS[link.state])} ${link.name.padEnd(14)} ${link.detail === '' ? link.state : link.detail}`;
  return link.state === 'not checked' ? paint.dim(line) : line;
}
