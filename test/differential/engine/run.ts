// Asks cases of an area, several at once, and judges what came against the record and the lists.
import type { AreaDefinition } from './area.ts';
import type { Area } from '../case.ts';
import { differences, type Difference } from './compare.ts';
import type { Lists } from './lists.ts';
import type { RecordedCase } from './recorded.ts';
import type { DiffServer } from './server.ts';

export type Choose = (id: string) => boolean;

/** Id → answers, or the error why there are none. */
export type Answers = Map<string, { readonly hash: string; readonly answers: unknown; readonly error?: string }>;

export async function askArea(area: AreaDefinition, server: DiffServer, choose: Choose): Promise<Answers> {
  const session = await area.open(server);
  try {
    const queue = session.cases.filter((c) => choose(c.id));
    const out: Answers = new Map();
    let next = 0;
    const worker = async () => {
      while (next < queue.length) {
        const asked = queue[next++]!;
        try {
          const answers = JSON.parse(JSON.stringify(await asked.ask())) as unknown;
          out.set(asked.id, { hash: asked.hash, answers });
        } catch (error) {
          out.set(asked.id, { hash: asked.hash, answers: undefined, error: (error as Error).message });
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(area.atOnce, queue.length) }, worker));
    return out;
  } finally {
    await session.close();
  }
}

export type Verdict =
  /** As the record, and in no list. */
  | 'equal'
  | 'todo'
  | 'by design'
  /** Different and in no list. */
  | 'new'
  /** In a list and not different. */
  | 'now equal'
  /** The record is of another question, or there is none. */
  | 'stale';

export interface Judged {
  readonly id: string;
  readonly area: Area;
  readonly verdict: Verdict;
  readonly differences: readonly Difference[];
  readonly problem?: string;
}

export const isFailure = (verdict: Verdict): boolean =>
  verdict === 'new' || verdict === 'now equal' || verdict === 'stale';

export function judge(
  area: Area,
  recorded: ReadonlyMap<string, RecordedCase>,
  answers: Answers,
  lists: Lists,
): Judged[] {
  return [...answers].map(([id, { hash, answers: coracle, error }]): Judged => {
    const record = recorded.get(id);
    if (record === undefined || record.hash !== hash) {
      const problem = record === undefined ? 'not recorded yet' : 'asks something else than when it was recorded';
      return { id, area, verdict: 'stale', differences: [], problem: `${problem}: record again` };
    }
    const found = error === undefined ? differences(record.answers, coracle) : [];
    const differs = error !== undefined || found.length > 0;
    const listed = lists.byDesign.has(id) ? 'by design' : lists.todo.has(id) ? 'todo' : undefined;
    const verdict: Verdict = differs ? (listed ?? 'new') : listed === undefined ? 'equal' : 'now equal';
    return { id, area, verdict, differences: found, ...(error === undefined ? {} : { problem: error }) };
  });
}
