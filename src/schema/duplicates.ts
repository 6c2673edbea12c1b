// The exact parser's one question: which object keys occur twice, and where. Only run when the key counts of scan and
// parse disagree; the text is known to be valid JSON.

/** `duplicate field "spec.containers[0].name"`, one a path, in document order. */
export function findDuplicates(text: string): readonly string[] {
  const found: string[] = [];
  let i = 0;
  const skipSpace = (): void => {
    while (text[i] === ' ' || text[i] === '\n' || text[i] === '\t' || text[i] === '\r') i += 1;
  };
  const readString = (): string => {
    const start = i;
    for (i += 1; text[i] !== '"'; i++) if (text[i] === '\\') i += 1;
    i += 1;
    return JSON.parse(text.slice(start, i)) as string;
  };
  const value = (path: string): void => {
    skipSpace();
    const c = text[i];
    if (c === '{') {
      const seen = new Set<string>();
      i += 1;
      skipSpace();
      while (text[i] !== '}') {
        if (text[i] === ',') i += 1;
        skipSpace();
        const key = readString();
        const at = path === '' ? key : `${path}.${key}`;
        if (seen.has(key)) found.push(`duplicate field ${JSON.stringify(at)}`);
        seen.add(key);
        skipSpace();
        i += 1; // the colon
        value(at);
        skipSpace();
      }
      i += 1;
    } else if (c === '[') {
      i += 1;
      skipSpace();
      for (let index = 0; text[i] !== ']'; index++) {
        if (text[i] === ',') i += 1;
        value(`${path}[${index}]`);
        skipSpace();
      }
      i += 1;
    } else if (c === '"') {
      readString();
    } else {
      while (i < text.length && !/[,\]}\s]/.test(text[i]!)) i += 1;
    }
  };
  value('');
  return [...new Set(found)];
}
