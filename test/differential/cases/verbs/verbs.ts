// The area `verbs`: every resource that the original serves by default × every verb, including wrong ones.
import type { DiffCase } from '../../case.ts';
import { applyScripts, patchScripts, scaleScripts, statusScripts, updateScripts } from './change.ts';
import { customCases } from './custom.ts';
import { createScripts } from './create.ts';
import { documentCases, methodScripts } from './documents.ts';
import { fieldCases } from './fields.ts';
import { CERTIFICATE_REQUEST, kindCases } from './kinds.ts';
import { readScripts } from './read.ts';
import { deleteScripts } from './remove.ts';
import { casesOf } from './script.ts';
import { approvalCases, specialCases } from './special.ts';

export function* verbCases(): Iterable<DiffCase> {
  // First: what is created later shows in discovery.
  yield* documentCases();
  yield* specialCases();
  yield* approvalCases(CERTIFICATE_REQUEST);
  const scripts = [
    ...createScripts,
    ...readScripts,
    ...updateScripts,
    ...patchScripts,
    ...applyScripts,
    ...statusScripts,
    ...scaleScripts,
    ...deleteScripts,
    ...methodScripts,
  ];
  // Last: those that the original itself touches, groups of custom resources among them.
  const kinds = kindCases.filter((k) => k.served.verbs.includes('create') || k.served.verbs.includes('get'));
  yield* casesOf(
    kinds.filter((k) => !k.isTouched),
    scripts,
  );
  yield* fieldCases();
  yield* casesOf(
    kinds.filter((k) => k.isTouched),
    scripts,
  );
  yield* customCases();
}
