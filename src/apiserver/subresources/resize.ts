// resize of a pod: changes the resources of its containers in place; nothing else may change.
import type { Container, Pod } from '#generated/api/core-v1.ts';
import type { KubeObject } from '#machinery/object.ts';
import { fieldError, type FieldError } from '#machinery/status.ts';
import { update } from '../verbs/create.ts';
import { patch } from '../verbs/patch.ts';
import { get } from '../verbs/read.ts';
import { equalJson, type Write } from '../verbs/write.ts';
import type { Subresource } from './subresource.ts';

const withoutResources = (containers: readonly Container[] | undefined): unknown =>
  (containers ?? []).map(({ resources: _r, resizePolicy: _p, ...rest }) => rest);

const rules: Pick<Write, 'prepare' | 'validate'> = {
  prepare: (object, old) => ({ ...object, status: (old as Pod).status }) as KubeObject,
  validate: (object, old) => {
    const now = (object as Pod).spec!;
    const before = (old as Pod).spec!;
    const errors: FieldError[] = [];
    const { containers: _c, initContainers: _i, ...rest } = now;
    const { containers: _oc, initContainers: _oi, ...oldRest } = before;
    const same =
      equalJson(rest, oldRest) &&
      equalJson(withoutResources(now.containers), withoutResources(before.containers)) &&
      equalJson(withoutResources(now.initContainers), withoutResources(before.initContainers));
    if (!same) errors.push(fieldError.forbidden('spec', 'only cpu and memory resources are mutable'));
    return errors;
  },
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
