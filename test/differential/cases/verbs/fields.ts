// Objects made from the schema: each kind with every field at once, and with one optional field of its own at a time, filled and empty.
import type { DiffCase } from '../../case.ts';
import { schemaByName } from '#schema/load.ts';
import type { Schema } from '#schema/types.ts';
import { type Json, kindCases, type KindCase } from './kinds.ts';
import { sampleOf, zeroOf } from './samples.ts';
import { merged, Subject } from './script.ts';

/** What the original says of these is in an order of its own each time, or has a uid that nobody is told. */
const UNSTEADY = new Set([
  'verbs/autoscaling.v2.HorizontalPodAutoscaler/create with every field of the schema',
  'verbs/autoscaling.v2.HorizontalPodAutoscaler/create with every field of the schema and what is needed',
  'verbs/autoscaling.v2.HorizontalPodAutoscaler/create with spec.metrics',
  'verbs/batch.v1.Job/create with spec.selector',
]);
const HEAD = new Set(['apiVersion', 'kind', 'metadata', 'status']);

export function* fieldCases(): Iterable<DiffCase> {
  for (const one of allFieldCases()) if (!UNSTEADY.has(one.id)) yield one;
}

function* allFieldCases(): Iterable<DiffCase> {
  for (const kind of kindCases) {
    if (!kind.served.verbs.includes('create')) continue;
    const schema = schemaByName(kind.served.definition);
    const everything = Object.fromEntries(
      schema.fields.filter((f) => !HEAD.has(f.name)).map((f) => [f.name, sampleOf(f.schema, f.name)]),
    );
    yield created(kind, 'create with every field of the schema', everything);
    yield created(kind, 'create with every field of the schema and what is needed', merged(everything, kind.content));
    for (const { path, filled, empty } of fieldsOf(schema, [])) {
      yield created(kind, `create with ${path.join('.')}`, merged(kind.content, nested(path, filled)));
      if (empty !== filled)
        yield created(kind, `create with an empty ${path.join('.')}`, merged(kind.content, nested(path, empty)));
    }
  }
}

interface OneField {
  readonly path: readonly string[];
  readonly filled: unknown;
  readonly empty: unknown;
}

/** Those of the object, of its spec, and of a pod template's. */
function* fieldsOf(schema: Schema, path: readonly string[]): Iterable<OneField> {
  if (schema.type !== 'object') return;
  for (const field of schema.fields) {
    if (path.length === 0 && HEAD.has(field.name)) continue;
    const here = [...path, field.name];
    if (field.name === 'spec' && path.length === 0) yield* fieldsOf(field.schema, here);
    else yield { path: here, filled: sampleOf(field.schema, field.name), empty: zeroOf(field) };
  }
}

const nested = (path: readonly string[], value: unknown): Json =>
  path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Json;

function created(kind: KindCase, what: string, content: Json): DiffCase {
  const id = `verbs/${kind.label}/${what}`;
  const subject = new Subject(kind, kind.nameIn(id));
  const query = kind.isTouched ? '?dryRun=All' : '';
  return { id, area: 'verbs', requests: [subject.create({ ...subject.object(), ...content }, query)] };
}
