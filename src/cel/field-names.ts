// Field names that are no identifiers of the language, as Kubernetes writes them: `foo-bar` is `foo__dash__bar`, and a
// reserved word like `namespace` is `__namespace__`.

const RESERVED: ReadonlySet<string> = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);
const ESCAPES: Readonly<Record<string, string>> = {
  __: '__underscores__',
  '.': '__dot__',
  '-': '__dash__',
  '/': '__slash__',
};
const UNESCAPES: ReadonlyMap<string, string> = new Map(
  Object.entries(ESCAPES).map(([plain, escaped]) => [escaped, plain]),
);

/** Undefined: the name cannot be written in an expression. */
export function escapeFieldName(name: string): string | undefined {
  if (RESERVED.has(name)) return `__${name}__`;
  if (!/^[a-zA-Z_][a-zA-Z0-9_./-]*$/.test(name)) return undefined;
  return name.replaceAll(/__|[./-]/g, (part) => ESCAPES[part]!);
}

/** Undefined: not an escaped name. */
export function unescapeFieldName(escaped: string): string | undefined {
  const word = /^__(.+)__$/.exec(escaped)?.[1];
  if (word !== undefined && RESERVED.has(word)) return word;
  let valid = true;
  const name = escaped.replaceAll(/__(?:[a-z]+__)?/g, (part) => {
    const plain = UNESCAPES.get(part);
    if (plain === undefined) valid = false;
    return plain ?? part;
  });
  return valid ? name : undefined;
}
