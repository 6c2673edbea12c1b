// Bringing raw scores to the framework's range.

export const MAX_SCORE = 100;

/** The highest becomes 100. */
export function normalizeUp(scores: readonly number[]): readonly number[] {
  const max = Math.max(0, ...scores);
  return max === 0 ? scores : scores.map((s) => Math.floor((MAX_SCORE * s) / max));
}

/** The highest becomes 0; all zero become 100. */
export function normalizeReversed(scores: readonly number[]): readonly number[] {
  const max = Math.max(0, ...scores);
  return scores.map((s) => (max === 0 ? MAX_SCORE : MAX_SCORE - Math.floor((MAX_SCORE * s) / max)));
}
