// The patches of #merge behind the Patcher seam.
import { applyJsonPatch } from '#merge/json-patch.ts';
import { applyMergePatch } from '#merge/merge-patch.ts';
import { applyStrategicMergePatch } from '#merge/strategic.ts';
import type { Patcher } from './patcher.ts';

export const patcher: Patcher = {
  patch(type, current, patch, schema) {
    switch (type) {
      case 'application/json-patch+json':
        return applyJsonPatch(current, patch);
      case 'application/merge-patch+json':
        return applyMergePatch(current, patch);
      default:
        return applyStrategicMergePatch(current, patch, schema);
    }
  },
};
