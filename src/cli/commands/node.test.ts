import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { takeName } from './node.ts';

describe('takeName', () => {
  for (const [what, args, expected] of [
    ['nothing', [], { command: [] }],
    ['a command', ['ip', 'addr'], { command: ['ip', 'addr'] }],
    ['a command behind --', ['--', 'ls', '--name', 'x'], { command: ['ls', '--name', 'x'] }],
    ['a name and a command', ['--name', 'b', '--', 'ls'], { name: 'b', command: ['ls'] }],
    ['a name with =', ['--name=b', 'ls'], { name: 'b', command: ['ls'] }],
    ['a command with an option of that name', ['docker', '--name', 'x'], { command: ['docker', '--name', 'x'] }],
  ] as const) {
    it(`reads ${what}`, () => assert.deepEqual(takeName(args), expected));
  }
});
