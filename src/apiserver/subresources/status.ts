// status: the same object, of which only status is written.
import { get } from '../verbs/read.ts';
import { update } from '../verbs/create.ts';
import { patch } from '../verbs/patch.ts';
import type { Subresource } from './subresource.ts';

export const status: Subresource = {
  name: 'status',
  verbs: ['get', 'update', 'patch'],
  serve(served, context, deps) {
    switch (context.info.verb) {
      case 'update':
        return update(served, context, 'status', deps);
      case 'patch':
        return patch(served, context, 'status', deps);
      default:
        return get(served, context);
    }
  },
};
