// The three patch types, from #merge. Apply is no patch of this kind: verbs/apply.ts.
import type { KubeObject } from '#machinery/object.ts';
import type { Schema } from '#schema/types.ts';

export interface Patcher {
  /** Never mutates `current`. Throws StatusError: 400 for what is no patch, 422 for one that does not apply. */
  patch(type: string, current: KubeObject, patch: unknown, schema: Schema): unknown;
}
