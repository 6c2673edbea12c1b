// Subjects → cases: validation spoils every member of a subject's shapes, defaulting asks what each shape comes back as.
import { schemaByName } from '#schema/load.ts';
import type { Area, DiffCase, DiffRequest } from '../../case.ts';
import { changesOf, faultsOf } from './mutate.ts';
import {
  type Change,
  collectionOf,
  type JsonObject,
  objectOf,
  servedOf,
  type Subject,
  titleOf,
  type Update,
} from './subject.ts';

const LEVELS = ['Strict', 'Warn', 'Ignore'];

export function defaultingCasesOf(subject: Subject): DiffCase[] {
  const make = caseMaker('defaulting', subject);
  // What all cases would see stays a dry run.
  const create = (object: JsonObject): DiffRequest => created(subject, object, !servedOf(subject).namespaced);
  return [
    ...(subject.hasMinimal === false ? [] : [make('minimal', [create(objectOf(subject))])]),
    ...Object.entries(subject.shapes ?? {}).map(([name, shape]) => make(name, [create(objectOf(subject, shape))])),
  ];
}

/** Marks of `asked` are asked once over all subjects: what a type cannot hold does not depend on the kind. */
export function validationCasesOf(subject: Subject, asked: Set<string>): DiffCase[] {
  const make = caseMaker('validation', subject);
  const unsteady = new Set(subject.unsteady?.map((what) => make(what, []).id));
  const all = [
    ...spoilt(subject, asked, make),
    ...Object.entries(subject.crossed ?? {}).map(([name, change]) =>
      make(`create with ${name}`, [created(subject, objectOf(subject, change))]),
    ),
    ...(subject.isReview === true ? [] : [...names(subject, make), ...updates(subject, make)]),
    ...fieldLevels(subject, make),
  ];
  return all.filter(({ id }) => !unsteady.has(id));
}

type Make = (what: string, requests: readonly DiffRequest[]) => DiffCase;

function caseMaker(area: Area, subject: Subject): Make {
  const title = titleOf(subject);
  return (what, requests) => ({
    id: `${area}/${title}/${worded(what)}`,
    area,
    requests: [...(subject.setUp ?? []), ...requests],
  });
}

/** Ids stand one a line, and words of the command line choose them. */
const worded = (text: string): string => text.replace(/[^\x21-\x7e]+/g, ' ').trim();

function created(subject: Subject, object: unknown, isDry = true): DiffRequest {
  const isStored = subject.isReview !== true;
  return { method: 'POST', path: `${collectionOf(subject)}${isDry && isStored ? '?dryRun=All' : ''}`, body: object };
}

function spoilt(subject: Subject, asked: Set<string>, make: Make): DiffCase[] {
  const schema = schemaByName(servedOf(subject).definition);
  const cases: DiffCase[] = [];
  const mine = new Set<string>();
  const spoil = (shape: string, object: JsonObject, base: unknown): void => {
    for (const fault of faultsOf(object, base, schema)) {
      const seen = fault.name.startsWith('of-type-') || TYPES.has(fault.name) ? asked : mine;
      if (seen.has(fault.mark)) continue;
      seen.add(fault.mark);
      const within = shape === '' ? '' : ` in ${shape}`;
      cases.push(make(`create${within} with ${fault.field} ${fault.name}`, [created(subject, fault.object)]));
    }
  };
  spoil('', objectOf(subject), undefined);
  for (const [name, shape] of Object.entries(subject.shapes ?? {}))
    spoil(name, objectOf(subject, shape), objectOf(subject));
  return cases;
}

const TYPES = new Set(['over-int32', 'with-fraction']);

const NAMES: readonly (readonly [string, Change])[] = [
  ['name-missing', { name: '' }],
  ['name-uppercase', { name: 'Upper' }],
  ['name-with-underscore', { name: 'a_b' }],
  ['name-with-dot', { name: 'a.b' }],
  ['name-with-slash', { name: 'a/b' }],
  ['name-with-percent', { name: 'a%b' }],
  ['name-with-colon', { name: 'a:b' }],
  ['name-of-dots', { name: '..' }],
  ['name-of-64', { name: 'a'.repeat(64) }],
  ['name-of-254', { name: 'a'.repeat(254) }],
  ['generate-name', { name: '', generateName: 'made-' }],
  ['generate-name-bad', { generateName: 'Bad_' }],
  ['namespace-other', { namespace: 'other' }],
];

function names(subject: Subject, make: Make): DiffCase[] {
  if (subject.hasFixedName === true) return [];
  return NAMES.map(([name, metadata]) =>
    make(`create with metadata ${name}`, [created(subject, objectOf(subject, { metadata }))]),
  );
}

function updates(subject: Subject, make: Make): DiffCase[] {
  const schema = schemaByName(servedOf(subject).definition);
  const setUp = (from: Change): DiffRequest => ({ ...created(subject, objectOf(subject, from), false), isSetUp: true });
  const number = subject.setUp?.length ?? 0;
  const put = (from: Change, object: JsonObject, subresource?: string, method = 'PUT'): DiffRequest => ({
    method,
    path: `${itemOf(subject, from)}${subresource === undefined ? '' : `/${subresource}`}?dryRun=All`,
    ...(method === 'PUT'
      ? { body: withVersion(object, number) }
      : { body: object, headers: { 'content-type': 'application/merge-patch+json' } }),
  });
  const byHand = ([name, update]: [string, Update]): DiffCase => {
    const where = update.subresource === undefined ? '' : ` ${update.subresource}`;
    const from = update.from ?? {};
    const object = objectOf(subject, from, update.to);
    return make(`update${where} with ${name}`, [setUp(from), put(from, object, update.subresource, update.method)]);
  };
  const oneByOne = (shape: string): DiffCase[] => {
    const from = subject.shapes?.[shape] ?? {};
    return changesOf(objectOf(subject, from), schema).map(({ field, name, object }) =>
      make(`update${shape === '' ? '' : ` of ${shape}`} with ${field} ${name}`, [
        setUp(from),
        put(from, object as JsonObject),
      ]),
    );
  };
  return [...Object.entries(subject.updates ?? {}).map(byHand), ...(subject.changing ?? []).flatMap(oneByOne)];
}

function itemOf(subject: Subject, from: Change): string {
  const { name } = objectOf(subject, from)['metadata'] as { name: string };
  return `${collectionOf(subject)}/${encodeURIComponent(name).replace('%7Bid%7D', '{id}')}`;
}

function withVersion(object: JsonObject, number: number): JsonObject {
  const metadata = object['metadata'] as JsonObject;
  return { ...object, metadata: { resourceVersion: `{rv:${number}}`, ...metadata } };
}

/** What one member more, and one twice, come to under the three levels. */
function fieldLevels(subject: Subject, make: Make): DiffCase[] {
  const object = objectOf(subject);
  const inner = Object.keys(object).find((k) => k === 'spec') ?? 'metadata';
  const text = JSON.stringify(object);
  const bodies: readonly (readonly [string, unknown])[] = [
    ['an unknown field', { ...object, nonsense: 1 }],
    ['an unknown field within', { ...object, [inner]: { ...(object[inner] as object), nonsense: { a: 1 } } }],
    ['a field twice', text.replace('"kind":', `"apiVersion":${JSON.stringify(subject.apiVersion)},"kind":`)],
  ];
  return bodies.flatMap(([what, body]) =>
    LEVELS.map((level) => {
      const request = created(subject, body);
      const path = `${request.path}${request.path.includes('?') ? '&' : '?'}fieldValidation=${level}`;
      return make(`create with ${what} under ${level}`, [{ ...request, path }]);
    }),
  );
}
