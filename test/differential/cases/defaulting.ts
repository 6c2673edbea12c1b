// The area `defaulting`: what a minimal object of every kind, and each optional part of it, comes back as when it is created.
import type { DiffCase } from '../case.ts';
import { defaultingCasesOf } from './validation/cases.ts';
import { pods } from './validation/pods.ts';
import { subjects } from './validation/subjects.ts';
import type { Subject } from './validation/subject.ts';
import { deployments } from './validation/workloads.ts';

export function defaultingCases(): DiffCase[] {
  return [...subjects, templated].flatMap(defaultingCasesOf);
}

/** Templates are defaulted as pods are, and nothing of admission is in them. */
const templated: Subject = {
  ...deployments,
  shapes: Object.fromEntries(
    Object.entries(pods.shapes ?? {})
      .filter(([name]) => name !== 'active-deadline' && name !== 'restart-policy')
      .map(([name, shape]) => [
        `template with ${name}`,
        { spec: { template: { spec: { ...(shape['spec'] as object) } } } },
      ]),
  ),
  hasMinimal: false,
};
