// What two clusters cannot have in common is replaced in what commands print, by this closed list. Messages, reasons, values and order
// stay as they are.

export interface World {
  /** `https://127.0.0.1:6443` */
  readonly url: string;
  readonly nodeIPs: readonly string[];
}

interface Rule {
  readonly why: string;
  readonly pattern: RegExp;
  readonly with: string;
}

/** The alphabet of generated names: no vowels, nothing that reads as another. */
const SAFE = '[bcdfghjklmnpqrstvwxz2456789]';
const DURATION = '(?:\\d+y)?(?:\\d+d)?(?:\\d+h)?(?:\\d+m)?(?:\\d+s)?';

/** In this order. */
export const RULES: readonly Rule[] = [
  { why: 'a log line’s head', pattern: /^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ [\w.]+:\d+\]/gm, with: '<log>' },
  {
    why: 'times of the API',
    pattern: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g,
    with: '<time>',
  },
  {
    why: 'times for people',
    pattern: /(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/g,
    with: '<time>',
  },
  {
    why: 'times of helm',
    pattern: /(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}/g,
    with: '<time>',
  },
  {
    why: 'times of helm, diff and describe',
    pattern: /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4}( UTC)?/g,
    with: '<time>',
  },
  {
    why: 'files of diff and edit',
    pattern: /\/tmp\/(LIVE|MERGED|kubectl-edit)-\d+(\.\w+)?/g,
    with: '/tmp/$1',
  },
  {
    why: 'whether a watch ended before its command did',
    pattern: /^<log> "(Warning: watch ended with error|Failed to watch)".*\n/gm,
    with: '',
  },
  { why: 'times of helm’s own', pattern: /(?<=modifiedAt=)\d+/g, with: '<time>' },
  { why: 'uids', pattern: /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, with: '<uid>' },
  {
    why: 'resource versions',
    pattern: /((?:resourceVersion"?|Resource Version|metadata\.resourceVersion): *"?)\d+/g,
    with: '$1<rv>',
  },
  { why: 'resource versions in a refusal', pattern: /(?<=resource version to be 1, was )\d+/g, with: '<rv>' },
  { why: 'names of events', pattern: /(?<=\w\.)1[0-9a-f]{15}\b/g, with: '<suffix>' },
  { why: 'how long an image took', pattern: /in \S+ \(\S+ including waiting\)/g, with: 'in <age>' },
  { why: 'tokens', pattern: /\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, with: '<token>' },
  { why: 'certificates', pattern: /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g, with: '<certificate>' },
  { why: 'certificates in base64', pattern: /\bLS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t[\w+/=]+/g, with: '<certificate>' },
  { why: 'generated names', pattern: new RegExp(`(?<=-)${SAFE}{5,10}(?![\\w])`, 'g'), with: '<suffix>' },
  { why: 'hashes of templates', pattern: new RegExp(`(hash["']?[=:] ?"?)${SAFE}{5,10}\\b`, 'g'), with: '$1<suffix>' },
  { why: 'addresses of services', pattern: /\b10\.(9[6-9]|10\d|11[01])\.\d+\.\d+\b/g, with: '<service-ip>' },
  { why: 'addresses of pods', pattern: /\b10\.244\.\d+\.\d+\b/g, with: '<pod-ip>' },
  { why: 'where a pod was placed', pattern: /\bnode-[123]\b/g, with: '<node>' },
  { why: 'containers', pattern: /(?<=containerd:\/\/)[0-9a-f]{64}\b/g, with: '<container>' },
  { why: 'node ports', pattern: /(:|nodePort"?: ?|NodePort: .*  )3[0-2]\d{3}\b/g, with: '$1<node-port>' },
  { why: 'how often and since when', pattern: / \(x\d+ over [^)]*\)/g, with: '' },
  {
    why: 'ages',
    pattern: new RegExp(`(^|  |\\()(?:(?=\\d)${DURATION}|<invalid>)(?=$|  |\\)| ago| \\()`, 'gm'),
    with: '$1<age>',
  },
];

export function normalise(text: string, world: World, folders: readonly string[]): string {
  let out = text.replaceAll(world.url.replace('https://', ''), '<server>');
  for (const folder of folders) out = out.replaceAll(folder, '<folder>');
  for (const ip of world.nodeIPs)
    out = out.replace(new RegExp(`(?<![\\d.])${ip.replaceAll('.', '\\.')}(?![\\d.])`, 'g'), '<node-ip>');
  for (const rule of RULES) out = out.replace(rule.pattern, rule.with);
  // Events of one second have no order.
  out = out.replace(/(?<=^Events:\n(?: .*\n){2})(?: .*\n)+/gm, (lines) =>
    lines
      .split(/(?<=\n)/)
      .toSorted()
      .join(''),
  );
  // So have a field's managers of one second, one a line: `kubectl Update scale`.
  out = out.replace(/(?:^\S+ (?:Apply|Update) \w*\n){2,}/gm, (lines) =>
    lines
      .split(/(?<=\n)/)
      .toSorted()
      .join(''),
  );
  // Columns are as wide as their widest cell, so a block in which something was replaced says nothing by its blanks.
  return out
    .split('\n\n')
    .map((block) => (/<[a-z-]+>/.test(block) ? block.replace(/(?<=\S) {2,}/g, '  ').replace(/ +$/gm, '') : block))
    .join('\n\n');
}

/** `kubectl explain` without texts: what stands below DESCRIPTION, and what is indented deeper than the field that it describes. */
export function withoutDescriptions(text: string): string {
  const kept: string[] = [];
  let inDescription = false;
  for (const line of text.split('\n')) {
    if (/^[A-Z]/.test(line)) inDescription = line.startsWith('DESCRIPTION');
    const isField = /^ +[\w$]+\t?\s*</.test(line) || /^ +enum: |^[A-Z]+:?/.test(line);
    if (!inDescription && (isField || line === '')) kept.push(line);
  }
  return kept.join('\n').replace(/\n{2,}/g, '\n');
}
