// Time, randomness and the environment are handed in: who takes them by himself is named here.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isTest, sourceFiles } from './sources.ts';

interface Banned {
  readonly what: string;
  readonly pattern: RegExp;
  readonly instead: string;
  /** File or folder below src/ → why it may. */
  readonly except: Readonly<Record<string, string>>;
}

const BANNED: readonly Banned[] = [
  {
    what: 'a real timer',
    pattern: /\b(setTimeout|setInterval)\s*\(|from 'node:timers/,
    instead: 'take a Clock (base/clock.ts)',
    except: { 'base/clock.ts': 'the real clock' },
  },
  {
    what: 'the real time',
    pattern: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bprocess\.hrtime\b/,
    instead: 'take a Clock (base/clock.ts)',
    except: {
      'base/clock.ts': 'the real clock',
      'cli/commands/parts.ts': 'says once how long the process took to start',
    },
  },
  {
    what: 'real randomness',
    pattern: /\bMath\.random\(|\brandomBytes\(|\brandomUUID\(|\bgetRandomValues\(/,
    instead: 'take a Random (base/random.ts)',
    except: {
      'base/random.ts': 'the real Random',
      'pki/certificates.ts': 'serial numbers of certificates: never from a seed',
      'cluster/images.ts': 'temporary names that two commands at once may not share',
    },
  },
  {
    what: 'a weak reference',
    pattern: /\b(WeakRef|FinalizationRegistry)\b/,
    instead: 'bound the map by name: garbage collection has no seed',
    except: {},
  },
  {
    what: 'the environment',
    pattern: /\bprocess\.env\b/,
    instead: 'take what you need as an option',
    except: {
      'cli/': 'where the environment becomes options',
      'host/process.ts': 'children inherit it',
      'cluster/up.ts': 'the programs it brought have to be found by everything after it',
      'cluster/example-images.ts': 'where the installation stands',
    },
  },
];

/** Comments may speak of anything. */
const withoutComments = (line: string) => line.replace(/(^|\s)\/\/.*$/, '').replace(/^\s*\/?\*.*$/, '');

describe('product code', () => {
  for (const { what, pattern, instead, except } of BANNED) {
    it(`takes ${what} only where it is listed`, () => {
      const wrong: string[] = [];
      for (const file of sourceFiles('src')) {
        if (isTest(file.path) || Object.keys(except).some((e) => file.path.startsWith(`src/${e}`))) continue;
        for (const [i, line] of file.text.split('\n').entries()) {
          if (pattern.test(withoutComments(line))) wrong.push(`${file.path}:${i + 1} ${line.trim()} — ${instead}`);
        }
      }
      assert.deepEqual(wrong, []);
    });
  }

  it('has no exception that nobody needs any more', () => {
    const stale = BANNED.flatMap(({ what, pattern, except }) =>
      Object.keys(except)
        .filter((e) => !sourceFiles('src').some((f) => f.path.startsWith(`src/${e}`) && pattern.test(f.text)))
        .map((e) => `${e}: ${what}`),
    );
    assert.deepEqual(stale, []);
  });
});
