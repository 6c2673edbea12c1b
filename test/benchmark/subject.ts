// What every comparison gets and gives.
import type { Figure } from './figures.ts';
import type { Generator } from './load/generator.ts';

export interface SubjectDeps {
  readonly generator: Generator;
  /** How often each side has its turn. */
  readonly rounds: number;
  /** 1 is the full load; less for trying. */
  readonly scale: number;
  readonly say: (line: string) => void;
}

export type Subject = (deps: SubjectDeps) => Promise<readonly Figure[]>;
