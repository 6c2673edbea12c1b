// What node:test tells about one suite, as lines of JSON: every failure, every skip with its reason, and the counts. The runner
// reads them (read.ts); nothing here is for people.
import type { TestEvent } from 'node:test/reporters';
import type { ReportLine } from './report.ts';

/** A loaded machine prints stacks of many frames; the first lines name the place. */
const STACK_LINES = 14;

export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const line = (value: ReportLine) => `${JSON.stringify(value)}\n`;
  for await (const event of source) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    const { name, nesting, file, details } = event.data;
    const isSuite = details.type === 'suite';
    const skip = event.data.skip ?? event.data.todo;
    if (skip !== undefined && skip !== false) {
      yield line({ kind: 'skip', name, reason: typeof skip === 'string' ? skip : 'marked as skipped' });
      continue;
    }
    if (event.type === 'test:pass') {
      if (!isSuite) yield line({ kind: 'pass', name, ms: Math.round(details.duration_ms) });
      continue;
    }
    const error = event.data.details.error as Error & { failureType?: string; cause?: unknown };
    // A suite that fails only because something in it did has nothing of its own to say.
    if (error.failureType === 'subtestsFailed') continue;
    yield line({ kind: 'fail', name, where: file ?? '', nesting, text: explain(error) });
  }
}

function explain(error: Error & { cause?: unknown }): string {
  const lines: string[] = [];
  for (let at: unknown = error.cause ?? error, depth = 0; at !== undefined && depth < 4; depth++) {
    const text = at instanceof Error ? (at.stack ?? at.message) : String(at);
    lines.push(...text.split('\n').slice(0, STACK_LINES));
    at = at instanceof Error ? at.cause : undefined;
    if (at !== undefined) lines.push('caused by:');
  }
  return lines.join('\n');
}
