// Endpoints of an Ingress backend in the proxy's numbered servers: which endpoint stands in which slot, and the commands that move a
// running proxy from one set to the next. Only a backend that outgrows its slots needs a reload.
import type { IngressTarget } from './ingress.ts';

/** Index → endpoint; undefined: free. */
export type Slots = readonly (IngressTarget | undefined)[];

const FEWEST_SLOTS = 4;

/** Room for a rolling update (one more and one leaving) on top; powers of two, so that growth reloads seldom. */
export function slotsFor(count: number): number {
  let slots = FEWEST_SLOTS;
  while (slots < count + 2) slots *= 2;
  return slots;
}

/** Endpoints stay where they are; new ones go to slots that were free before, then to those just left. */
export function assignSlots(before: Slots | undefined, targets: readonly IngressTarget[]): Slots {
  const wanted = new Map(targets.map((t) => [textOf(t), t]));
  const room = before ?? [];
  const slots: (IngressTarget | undefined)[] = room.map((slot) => {
    if (slot === undefined || !wanted.delete(textOf(slot))) return undefined;
    return slot;
  });
  const size = room.length === 0 || targets.length > room.length ? slotsFor(targets.length) : room.length;
  while (slots.length < size) slots.push(undefined);
  const free = [...slots.keys()].filter((i) => slots[i] === undefined);
  free.sort((a, b) => Number(room[a] !== undefined) - Number(room[b] !== undefined) || a - b);
  for (const target of wanted.values()) slots[free.shift()!] = target;
  return slots;
}

/** Commands of the proxy's admin socket; newcomers first, so that a backend that is replaced is never empty. */
export function slotCommands(upstream: string, before: Slots, after: Slots): string[] {
  const come: string[] = [];
  const go: string[] = [];
  for (const [index, target] of after.entries()) {
    const old = before[index];
    if (old === target || (old !== undefined && target !== undefined && textOf(old) === textOf(target))) continue;
    const server = `${upstream}/${slotName(index)}`;
    if (target === undefined) go.push(`set server ${server} state maint`);
    else come.push(`set server ${server} addr ${target.ip} port ${target.port}`, `set server ${server} state ready`);
  }
  return [...come, ...go];
}

export const slotName = (index: number): string => `s${index + 1}`;
const textOf = (target: IngressTarget): string => `${target.ip} ${target.port}`;
