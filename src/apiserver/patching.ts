// The patches of #merge behind the Patcher seam.
import { StatusError } from '#machinery/status.ts';
import type { Patcher } from './patcher.ts';

export const patcher: Patcher = {
  patch() {
    throw StatusError.unsupportedMediaType('patches are not yet supported');
  },
};
