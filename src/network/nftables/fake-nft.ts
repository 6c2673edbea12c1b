// nftables without a kernel: keeps tables and elements, refuses what the kernel would refuse.
import type { Family } from '#netmodel/family.ts';
import { elementKey, type Element, type ElementChanges, type Table } from '#netmodel/rules.ts';
import type { ElementCounter, Nft } from './nft.ts';

export class FakeNft implements Nft {
  /** Table name, behind `ip6 ` for one of IPv6 → the table and its elements by set and key. */
  readonly tables = new Map<string, { readonly table: Table; readonly elements: Map<string, Element> }>();
  /** Every transaction of elements, in order. */
  readonly changes: ElementChanges[] = [];
  /** When set, the next transaction fails with it. */
  failNext: Error | undefined;

  async load(table: Table, elements: readonly Element[]): Promise<void> {
    this.#failIfTold();
    const held = new Map<string, Element>();
    const name = nameOf(table.name, table.family);
    this.tables.set(name, { table, elements: held });
    this.#add(name, elements);
  }

  async change(changes: ElementChanges): Promise<void> {
    this.#failIfTold();
    const name = nameOf(changes.table, changes.family);
    const held = this.tables.get(name)?.elements;
    if (held === undefined) throw new Error(`no table ${changes.table}`);
    for (const element of changes.remove)
      if (!held.delete(elementKey(element.set, element.key)))
        throw new Error(`no element ${element.set} ${element.key}`);
    this.#add(name, changes.add);
    this.changes.push(changes);
  }

  async remove(table: string, family?: Family): Promise<void> {
    this.tables.delete(nameOf(table, family));
  }

  async counters(_table: string, _set: string): Promise<readonly ElementCounter[]> {
    return [];
  }

  elements(table: string): Element[] {
    return [...(this.tables.get(table)?.elements.values() ?? [])];
  }

  #add(name: string, elements: readonly Element[]): void {
    const { table, elements: held } = this.tables.get(name)!;
    for (const element of elements) {
      const set = table.sets.find((s) => s.name === element.set);
      if (set === undefined) throw new Error(`no set ${element.set}`);
      if ((set.value === undefined) !== (element.value === ''))
        throw new Error(`${element.set} ${element.key}: wrong kind of element`);
      const verdict = set.value === 'verdict' ? element.value.split(' ')[1] : undefined;
      if (verdict !== undefined && !table.chains.some((c) => c.name === verdict))
        throw new Error(`no chain ${verdict}`);
      const identity = elementKey(element.set, element.key);
      if (held.has(identity)) throw new Error(`element ${element.set} ${element.key} exists`);
      held.set(identity, element);
    }
  }

  #failIfTold(): void {
    const error = this.failNext;
    this.failNext = undefined;
    if (error !== undefined) throw error;
  }
}

const nameOf = (table: string, family: Family = 4): string => (family === 4 ? table : `ip6 ${table}`);
