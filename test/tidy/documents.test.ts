// Documents say what is true: commands and options they show exist, files they name are there, and the command line's own page
// leaves nothing out.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { Command } from 'commander';
import { read, repositoryFiles, ROOT } from './sources.ts';

const documents = () => repositoryFiles().filter((f) => f.endsWith('.md'));
/** These hand everything that follows to another program. */
const PASSES_ON = new Set(['kubectl', 'helm']);

/** The command tree, made from the same functions as the program. */
async function commandLine(): Promise<Command> {
  const program = new Command('coracle').option('--name <name>').enablePositionalOptions();
  const folder = join(ROOT, 'src/cli/commands');
  for (const file of readdirSync(folder).filter((f) => f.endsWith('.ts') && !f.endsWith('.test.ts'))) {
    const exported = (await import(join(folder, file))) as Record<string, unknown>;
    for (const [name, add] of Object.entries(exported))
      if (name.startsWith('add')) (add as (p: Command) => void)(program);
  }
  return program;
}

/** `coracle` calls in code blocks and inline code: `./coracle up --nodes 3` → ['up', '--nodes', '3']. */
function calls(text: string): string[][] {
  const code = [...text.matchAll(/```(?:sh|bash|console|)\n([\s\S]*?)```/g)].flatMap((m) => m[1]!.split('\n'));
  const inline = [...text.matchAll(/(?<!`)`([^`\n]+)`(?!`)/g)].map((m) => m[1]!);
  return [...code, ...inline].flatMap((line) => {
    const found = /^\s*(?:\$ |[A-Z_]+=\S+ |sudo )*\.?\/?coracle\s+(.*)$/.exec(
      line.replace(/\s+#.*$/, '').replace(/[|;&].*$/, ''),
    );
    return found === null ? [] : [found[1]!.trim().split(/\s+/)];
  });
}

const optionsOf = (command: Command): string[] =>
  command.options.flatMap((o) => [o.long, o.short]).filter((o) => o !== undefined && o !== null) as string[];

/** What is wrong with the call; undefined when it could be typed. */
function wrongCall(program: Command, words: readonly string[]): string | undefined {
  let at = program;
  let word = 0;
  const takesValue = (command: Command, flag: string) =>
    command.options.find((o) => o.long === flag || o.short === flag)?.required === true;
  for (; word < words.length; word++) {
    const w = words[word]!;
    if (w === '--') return undefined;
    if (w.startsWith('-')) {
      const flag = w.split('=')[0]!;
      if (flag === '--help' || flag === '-h' || w.includes('…')) continue;
      const known =
        [at, ...(at.parent === null ? [] : [at.parent])].some((c) => optionsOf(c).includes(flag)) ||
        (at !== program && flag === '--name');
      if (!known) return `${at.name()} has no option ${flag}`;
      if (takesValue(at, flag) && !w.includes('=')) word++;
      continue;
    }
    const next = at.commands.find((c) => c.name() === w || c.aliases().includes(w));
    if (next === undefined) {
      if (at === program && /^[a-z]+$/.test(w)) return `there is no command ${w}`;
      if (at.commands.length > 0 && /^[a-z]+$/.test(w)) return `${at.name()} has no command ${w}`;
      continue;
    }
    at = next;
    if (PASSES_ON.has(at.name())) return undefined;
  }
  return undefined;
}

describe('documents', () => {
  it('show commands and options that exist', async () => {
    const program = await commandLine();
    const all = documents().flatMap((path) => calls(read(path)).map((words) => ({ path, words })));
    assert.ok(all.length > 10, 'the documents show too few commands for this test to mean anything');
    assert.deepEqual(
      all.flatMap(({ path, words }) => {
        const wrong = wrongCall(program, words);
        return wrong === undefined ? [] : [`${path}: coracle ${words.join(' ')}: ${wrong}`];
      }),
      [],
    );
  });

  it('name every command and option in docs/command-line.md', async () => {
    const page = read('docs/command-line.md');
    const missing: string[] = [];
    const look = (command: Command, path: string) => {
      for (const sub of command.commands) {
        if (sub.name() === 'help') continue;
        const full = `${path} ${sub.name()}`;
        if (!page.includes(full)) missing.push(full);
        for (const option of optionsOf(sub)) if (!page.includes(option)) missing.push(`${full} ${option}`);
        look(sub, full);
      }
    };
    look(await commandLine(), 'coracle');
    assert.deepEqual(missing, []);
  });

  it('name files that are there', () => {
    const missing: string[] = [];
    for (const path of documents()) {
      const text = read(path);
      const links = [...text.matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)].map((m) => join(dirname(path), m[1]!));
      const named = [...text.matchAll(/`((?:src|test|tools|docs|examples|images|generated)\/[A-Za-z0-9_./-]+)`/g)].map(
        (m) => m[1]!,
      );
      for (const file of [...links, ...named]) if (!existsSync(join(ROOT, file))) missing.push(`${path}: ${file}`);
    }
    assert.deepEqual(missing, []);
  });

  it('name npm scripts that are there', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const wrong = documents().flatMap((path) =>
      [...read(path).matchAll(/npm run ([a-z:-]+)/g)]
        .filter((m) => scripts[m[1]!] === undefined)
        .map((m) => `${path}: npm run ${m[1]}`),
    );
    assert.deepEqual(wrong, []);
    const targets = Object.entries(scripts).flatMap(([name, line]) =>
      [...line.matchAll(/(?:^|\s)((?:tools|test)\/[\w./-]+\.ts)/g)]
        .filter((m) => !existsSync(join(ROOT, m[1]!)))
        .map((m) => `${name}: ${m[1]}`),
    );
    assert.deepEqual(targets, []);
  });

  it('are judged by a test that can fail', async () => {
    const program = await commandLine();
    assert.equal(wrongCall(program, ['up', '--nodes', '3']), undefined);
    assert.match(wrongCall(program, ['fly'])!, /no command/);
    assert.match(wrongCall(program, ['up', '--wings'])!, /no option/);
    assert.match(wrongCall(program, ['node', 'fly'])!, /no command/);
    assert.equal(wrongCall(program, ['kubectl', 'get', '--anything']), undefined);
    assert.deepEqual(calls('```sh\n$ ./coracle up   # comes up\n```\nand `coracle status`'), [['up'], ['status']]);
  });
});
