// scale: one small object over a kind's replica count, whatever the kind.
import type { Scale } from '#generated/api/autoscaling-v1.ts';
import type { KubeObject } from '#machinery/object.ts';
import type { ExchangeResponse } from '#machinery/exchange.ts';
import { applyConfiguration, checkTypes } from '#merge/apply.ts';
import { fieldError, StatusError } from '#machinery/status.ts';
import type { ScaleDefinition } from '#schema/resource.ts';
import { decodeObject, decodeValue } from '#schema/decode.ts';
import { schemaByName } from '#schema/load.ts';
import { bodyOf } from '../codec.ts';
import type { RequestContext } from '../context.ts';
import { negotiate, type Accepted } from '../negotiation.ts';
import { jsonValue } from '../responses.ts';
import { presented, type Served } from '../served.ts';
import { APPLY, parsePatch, patchType } from '../verbs/patch.ts';
import {
  applyOptions,
  checkDuplicates,
  checkKind,
  parseConfiguration,
  shown,
  versionsOf,
  type ApplyDeps,
} from '../verbs/apply.ts';
import { writeOptions } from '../verbs/options.ts';
import { readEntry } from '../verbs/read.ts';
import type { Subresource } from './subresource.ts';

const schema = () => schemaByName('io.k8s.api.autoscaling.v1.Scale');
const SCALE_VERSION = 'autoscaling/v1';
const HEAD = { kind: 'Scale', version: 'v1' };

export const scale: Subresource = {
  name: 'scale',
  verbs: ['get', 'update', 'patch'],
  async serve(served, context, deps) {
    const { writer, patcher } = deps;
    const accepted = negotiate(context.request.headers.accept);
    const definition = served.definition.scale;
    if (definition === undefined) throw StatusError.methodNotAllowed(served.subject, context.info.verb);
    const { verb } = context.info;
    if (verb === 'get') return jsonValue(200, scaleOf((await readEntry(served, context)).object, definition), accepted);

    const options = writeOptions(context, verb === 'patch' ? 'PatchOptions' : 'UpdateOptions');
    let wanted: (current: Scale) => Scale;
    if (verb === 'update') {
      const { object } = decodeObject<Scale & KubeObject>(bodyOf(context), schema(), HEAD);
      wanted = () => object;
    } else {
      const type = patchType(context);
      if (type === APPLY) return applyScale(served, context, definition, deps, accepted);
      const parsed = parsePatch(context);
      wanted = (current) =>
        decodeValue<Scale & KubeObject>(patcher.patch(type, current as KubeObject, parsed, schema()), schema(), HEAD)
          .object;
    }
    const written = await writer.write({
      served,
      context,
      subresource: 'scale',
      verb,
      mode: 'update',
      options,
      namespace: served.definition.namespaced ? context.info.namespace : '',
      name: context.info.name,
      desired: (old) => {
        const next = wanted(scaleOf(old!, definition));
        checkScale(served, context, next);
        return withReplicas(old!, definition, next);
      },
      prepare: (object) => object,
      validate: () => [],
    });
    const object = written.entry === undefined ? written.object : written.entry.object;
    return jsonValue(200, scaleOf(object, definition), accepted);
  },
};

/** The replicas of a Scale are applied to the field of the kind that they stand for; its owner has the subresource `scale`. */
async function applyScale(
  served: Served,
  context: RequestContext,
  definition: ScaleDefinition,
  { codec, writer }: ApplyDeps,
  accepted: Accepted,
): Promise<ExchangeResponse> {
  const options = applyOptions(context);
  const body = parseConfiguration(context, options);
  const { configuration } = body;
  checkKind(configuration, SCALE_VERSION, 'Scale');
  const wanted = configuration as unknown as Scale;
  if (Array.isArray(wanted.metadata?.managedFields)) throw StatusError.badRequest('metadata.managedFields must be nil');
  checkTypes(configuration, schema(), SCALE_VERSION, 'Scale');
  checkScale(served, context, wanted);
  const { apiVersion } = served;
  const { kind } = served.definition;
  const { name, namespace, uid, resourceVersion } = wanted.metadata ?? {};
  const head = { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion } } as KubeObject;
  const replicas = wanted.spec?.replicas;
  const written = await writer.write({
    served,
    context,
    subresource: 'scale',
    verb: 'patch',
    mode: 'update',
    options,
    namespace: served.definition.namespaced ? context.info.namespace : '',
    name: context.info.name,
    ownsFields: true,
    desired: (old) => {
      const args = {
        live: presented(served, old!),
        configuration: (replicas === undefined || replicas === null
          ? head
          : withReplicas(head, definition, wanted)) as unknown as Readonly<Record<string, unknown>>,
        schema: served.version.schema,
        apiVersion,
        kind,
        manager: options.fieldManager,
        subresource: 'scale',
        force: options.force === true,
        now: context.nowText,
        versions: versionsOf(served),
      };
      const applied = shown(() => applyConfiguration(args), SCALE_VERSION);
      checkDuplicates(body, context, options);
      return codec.decodeValue(served, applied, context, 'Ignore');
    },
    prepare: (object) => object,
    validate: () => [],
  });
  const object = written.entry === undefined ? written.object : written.entry.object;
  return jsonValue(200, scaleOf(object, definition), accepted);
}

function checkScale(served: Served, context: RequestContext, next: Scale): void {
  const { name } = context.info;
  if ((next.metadata?.name ?? name) !== name)
    throw StatusError.badRequest(
      `the name of the object (${next.metadata?.name}) does not match the name on the URL (${name})`,
    );
  const replicas = next.spec?.replicas ?? 0;
  if (replicas < 0) {
    throw StatusError.invalid({ group: 'autoscaling', kind: 'Scale' }, name, [
      fieldError.invalid('spec.replicas', replicas, 'must be greater than or equal to 0'),
    ]);
  }
  void served;
}

function scaleOf(object: KubeObject, definition: ScaleDefinition): Scale {
  const m = object.metadata;
  const selector =
    typeof definition.selector === 'function' ? definition.selector(object) : at(object, definition.selector);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name: m.name,
      namespace: m.namespace,
      uid: m.uid,
      resourceVersion: m.resourceVersion,
      creationTimestamp: m.creationTimestamp,
    },
    spec: { replicas: at(object, definition.specReplicasPath) as number | undefined },
    status: {
      replicas: (at(object, definition.statusReplicasPath) as number | undefined) ?? 0,
      ...(typeof selector === 'string' && selector !== '' ? { selector } : {}),
    },
  } as Scale;
}

function at(object: unknown, path: string): unknown {
  let value = object;
  for (const part of path.replace(/^\./, '').split('.')) value = (value as Record<string, unknown> | undefined)?.[part];
  return value;
}

function withReplicas(object: KubeObject, definition: ScaleDefinition, next: Scale): KubeObject {
  const set = (value: unknown, parts: readonly string[]): unknown => {
    const [first, ...rest] = parts;
    if (first === undefined) return next.spec?.replicas ?? 0;
    const record = (value ?? {}) as Record<string, unknown>;
    return { ...record, [first]: set(record[first], rest) };
  };
  const changed = set(object, definition.specReplicasPath.replace(/^\./, '').split('.')) as KubeObject;
  const { resourceVersion, uid } = next.metadata ?? {};
  return {
    ...changed,
    metadata: {
      ...changed.metadata,
      ...(resourceVersion === undefined || resourceVersion === '' ? {} : { resourceVersion }),
      ...(uid === undefined || uid === '' ? {} : { uid }),
    },
  };
}
