// `$(VAR)` in commands, arguments and values: known names are replaced, `$$(VAR)` is an escape, unknown ones stay as they are
// (third_party/forked/golang/expansion).

export function expand(text: string, lookup: (name: string) => string | undefined): string {
  let out = '';
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== '$' || at + 1 >= text.length) {
      out += text[at];
      continue;
    }
    const next = text[at + 1];
    if (next === '$') {
      out += '$';
      at++;
    } else if (next === '(') {
      const end = text.indexOf(')', at + 2);
      if (end < 0) {
        out += '$(';
        at++;
      } else {
        const name = text.slice(at + 2, end);
        out += lookup(name) ?? `$(${name})`;
        at = end;
      }
    } else {
      out += `$${next}`;
      at++;
    }
  }
  return out;
}
