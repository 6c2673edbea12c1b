// Every area of the corpus, in the order in which they are asked. Cases are made when an area is asked for.
import type { AreaDefinition } from './engine/area.ts';
import { areaOfCases } from './engine/area.ts';
import { kubectlArea } from './kubectl/area.ts';

export const AREAS: readonly AreaDefinition[] = [
  areaOfCases('verbs', async () => (await import('./cases/verbs/verbs.ts')).verbCases()),
  areaOfCases('watch', async () => (await import('./cases/watch/watch.ts')).watchCases()),
  areaOfCases('validation', async () => (await import('./cases/validation.ts')).validationCases()),
  areaOfCases('defaulting', async () => (await import('./cases/defaulting.ts')).defaultingCases()),
  kubectlArea(),
];
