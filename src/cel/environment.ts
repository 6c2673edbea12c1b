// What an expression may name: variables, functions by Kubernetes release, types.

import type { CelType } from './types.ts';

export interface CelEnvironment {
  readonly variables: ReadonlyMap<string, CelType>;
  /** A new environment with more variables. */
  extend(variables: Readonly<Record<string, CelType>>): CelEnvironment;
}
