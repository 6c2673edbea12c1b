// Finds which of many parts make a whole bad, by asking about halves: a bad Ingress must not take the others with it.

export interface Accepted<T> {
  readonly accepted: readonly T[];
  readonly refused: readonly { readonly item: T; readonly complaint: string }[];
}

/** `check` says what is wrong with a set, undefined when nothing is. Asks about 2 log n sets for each bad item. */
export async function acceptedOf<T>(
  items: readonly T[],
  check: (items: readonly T[]) => Promise<string | undefined>,
): Promise<Accepted<T>> {
  const accepted: T[] = [];
  const refused: { item: T; complaint: string }[] = [];
  const tryWith = async (some: readonly T[]): Promise<void> => {
    if (some.length === 0) return;
    const complaint = await check([...accepted, ...some]);
    if (complaint === undefined) accepted.push(...some);
    else if (some.length === 1) refused.push({ item: some[0]!, complaint });
    else {
      const half = some.length >> 1;
      await tryWith(some.slice(0, half));
      await tryWith(some.slice(half));
    }
  };
  await tryWith(items);
  return { accepted, refused };
}
