// finalize of a namespace: writes spec.finalizers; the namespace goes when the last one does.
import type { Namespace } from '#generated/api/core-v1.ts';
import type { KubeObject } from '#machinery/object.ts';
import { negotiate } from '../negotiation.ts';
import { showWritten } from '../verbs/create.ts';
import { writeOptions } from '../verbs/options.ts';
import type { Subresource } from './subresource.ts';

export const finalize: Subresource = {
  name: 'finalize',
  resource: '/namespaces',
  verbs: ['update'],
  async serve(served, context, { codec, writer }) {
    const accepted = negotiate(context.request.headers.accept);
    const options = writeOptions(context, 'UpdateOptions');
    const body = codec.decode(served, context, options.fieldValidation) as Namespace;
    const written = await writer.write({
      served,
      context,
      subresource: 'finalize',
      verb: 'update',
      mode: 'update',
      options,
      namespace: '',
      name: context.info.name,
      desired: () => body as KubeObject,
      prepare: (object, old) =>
        ({
          ...old,
          metadata: object.metadata,
          spec: { ...(old as Namespace).spec, finalizers: (object as Namespace).spec?.finalizers ?? [] },
        }) as KubeObject,
      validate: () => [],
    });
    return showWritten(200, served, written, accepted, context);
  },
};
