// The area `validation`: one fault at a time in otherwise valid objects of every kind people write, changes that an update may not
// make, unknown and duplicate fields. The kinds stand in validation/.
import type { DiffCase } from '../case.ts';
import { validationCasesOf } from './validation/cases.ts';
import { subjects } from './validation/subjects.ts';

export function validationCases(): DiffCase[] {
  const asked = new Set<string>();
  return subjects.flatMap((subject) => validationCasesOf(subject, asked));
}
