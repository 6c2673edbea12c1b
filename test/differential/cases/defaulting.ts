// The area `defaulting`: what a minimal object of every kind, and each optional part of it, comes back as when it is created.
import type { DiffCase } from '../case.ts';
import { defaultingCasesOf } from './validation/cases.ts';
import { subjects } from './validation/subjects.ts';

export function defaultingCases(): DiffCase[] {
  return subjects.flatMap(defaultingCasesOf);
}
