// resize of a pod: changes the resources of its containers in place; nothing else may change.
import type { Pod } from '#generated/api/core-v1.ts';
import { prepareResize, validateResize } from '#kinds/core/pod/resize.ts';
import type { KubeObject } from '#machinery/object.ts';
import { update } from '../verbs/create.ts';
import { patch } from '../verbs/patch.ts';
import { get } from '../verbs/read.ts';
import type { Write } from '../verbs/write.ts';
import type { Subresource } from './subresource.ts';

const rules: Pick<Write, 'prepare' | 'validate'> = {
  prepare: (object, old) => prepareResize(object as Pod, old as Pod) as KubeObject,
  validate: (object, old) => validateResize(object as Pod, old as Pod),
};

export const resize: Subresource = {
  name: 'resize',
  resource: '/pods',
  verbs: ['get', 'update', 'patch'],
  serve(served, context, deps) {
    switch (context.info.verb) {
      case 'update':
        return update(served, context, 'resize', deps, rules);
      case 'patch':
        return patch(served, context, 'resize', deps, rules);
      default:
        return get(served, context);
    }
  },
};
