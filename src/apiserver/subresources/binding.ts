// binding of a pod: puts it on a node and marks it scheduled. Also behind POST …/bindings.
import type { Binding, Pod } from '#generated/api/core-v1.ts';
import { setCondition } from '#machinery/conditions.ts';
import type { ExchangeResponse } from '#machinery/exchange.ts';
import type { KubeObject } from '#machinery/object.ts';
import { fieldError, StatusError } from '#machinery/status.ts';
import { decodeObject } from '#schema/decode.ts';
import { schemaByName } from '#schema/load.ts';
import { bodyOf } from '../codec.ts';
import type { RequestContext } from '../context.ts';
import { negotiate } from '../negotiation.ts';
import { jsonValue } from '../responses.ts';
import type { Served } from '../served.ts';
import { writeOptions } from '../verbs/options.ts';
import type { Subresource, SubresourceDeps } from './subresource.ts';

const schema = () => schemaByName('io.k8s.api.core.v1.Binding');

export const binding: Subresource = {
  name: 'binding',
  resource: '/pods',
  verbs: ['create'],
  serve: (served, context, deps) => bind(served, context, context.info.name, deps),
};

/** `name` '' takes the pod's name from the body. */
export async function bind(
  pods: Served,
  context: RequestContext,
  name: string,
  { writer }: Pick<SubresourceDeps, 'writer'>,
): Promise<ExchangeResponse> {
  const accepted = negotiate(context.request.headers.accept);
  const options = writeOptions(context, 'CreateOptions');
  const { object } = decodeObject<Binding & KubeObject>(bodyOf(context), schema(), { kind: 'Binding', version: 'v1' });
  const podName = name === '' ? (object.metadata?.name ?? '') : name;
  const errors = [];
  const kind = object.target?.kind ?? '';
  if (kind !== '' && kind !== 'Node') errors.push(fieldError.notSupported('target.kind', kind, ['Node', '']));
  if ((object.target?.name ?? '') === '') errors.push(fieldError.required('target.name'));
  if (errors.length > 0) throw StatusError.invalid({ kind: 'Binding' }, podName, errors);
  const bodyName = object.metadata?.name ?? '';
  if (name !== '' && bodyName !== '' && bodyName !== name)
    throw StatusError.badRequest(`name in URL does not match name in Binding object`);
  const { uid, resourceVersion, annotations, labels } = object.metadata ?? {};
  await writer.write({
    served: pods,
    context,
    subresource: 'binding',
    verb: 'create',
    mode: 'update',
    keepsGeneration: true,
    // Upstream notes no owner of what a binding writes.
    ownsFields: true,
    options,
    namespace: context.info.namespace,
    name: podName,
    desired: (old) => {
      const pod = old as Pod & KubeObject;
      if (uid !== undefined && uid !== '' && uid !== pod.metadata.uid) {
        throw StatusError.conflict(
          pods.subject,
          podName,
          `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`,
        );
      }
      if (pod.metadata.deletionTimestamp !== undefined)
        throw bindingConflict(podName, `pod ${podName} is being deleted, cannot be assigned to a host`);
      if ((pod.spec?.nodeName ?? '') !== '')
        throw bindingConflict(podName, `pod ${podName} is already assigned to node "${pod.spec!.nodeName}"`);
      if ((pod.spec?.schedulingGates ?? []).length > 0)
        throw bindingConflict(podName, `pod ${podName} has non-empty .spec.schedulingGates`);
      return {
        ...pod,
        metadata: {
          ...pod.metadata,
          resourceVersion: resourceVersion ?? pod.metadata.resourceVersion,
          annotations: { ...pod.metadata.annotations, ...annotations },
          labels: { ...pod.metadata.labels, ...labels },
        },
        spec: { ...pod.spec, nodeName: object.target.name },
        status: {
          ...pod.status,
          conditions: setCondition(
            pod.status?.conditions,
            // Why it could not be placed before is over.
            {
              type: 'PodScheduled',
              status: 'True',
              lastTransitionTime: context.nowText,
              reason: undefined,
              message: undefined,
            } as never,
            context.nowText,
          ),
        },
      } as KubeObject;
    },
    // The scheduler's write touches spec.nodeName and the condition; the pod's own update rules forbid just that to others.
    prepare: (wanted) => wanted,
    validate: () => [],
  });
  return jsonValue(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, accepted);
}

const bindingConflict = (name: string, why: string): StatusError =>
  StatusError.conflict({ resource: 'pods/binding' }, name, why);
