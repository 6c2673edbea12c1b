// The selectors of a request, parsed and checked, as the watch cache takes them.
import {
  formatFieldSelector,
  formatLabelMatcher,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  SelectorError,
} from '#machinery/selectors.ts';
import { StatusError } from '#machinery/status.ts';
import type { FieldMatcher, LabelMatcher, Selection } from '#watchcache/selection.ts';
import type { RequestInfo } from './pipeline.ts';
import type { Served } from './served.ts';

const memoLabels = new Map<string, LabelMatcher>();
/** Parsed selectors kept; clients repeat few. */
const MEMO_LIMIT = 1_000;

export function selectionOf(served: Served, info: RequestInfo): Selection {
  const { query } = info;
  // A namespace in the path of the namespace resource itself is its name.
  const namespace = served.definition.namespaced ? info.namespace : '';
  if (query.size === 0 && info.name === '') return { namespace };
  const labels = query.get('labelSelector');
  const fields = query.get('fieldSelector');
  return {
    namespace,
    labels: labels === null || labels === '' ? undefined : labelMatcher(labels),
    fields: fieldMatcher(served, fields ?? '', info.name),
  };
}

export function labelMatcher(text: string): LabelMatcher {
  const known = memoLabels.get(text);
  if (known !== undefined) return known;
  let parsed: ReturnType<typeof parseLabelSelector>;
  try {
    parsed = parseLabelSelector(text);
  } catch (error) {
    if (error instanceof SelectorError) throw StatusError.badRequest(error.message);
    throw error;
  }
  const matcher: LabelMatcher = {
    text: formatLabelMatcher(parsed),
    matches: (labels) => matchesLabels(parsed, labels),
  };
  if (memoLabels.size >= MEMO_LIMIT) memoLabels.clear();
  memoLabels.set(text, matcher);
  return matcher;
}

export function fieldMatcher(served: Served, text: string, name: string): FieldMatcher | undefined {
  if (text === '' && name === '') return undefined;
  let requirements: ReturnType<typeof parseFieldSelector>;
  try {
    requirements = parseFieldSelector(text);
  } catch (error) {
    if (error instanceof SelectorError) throw StatusError.badRequest(error.message);
    throw error;
  }
  if (name !== '') requirements = [...requirements, { field: 'metadata.name', operator: '=', value: name }];
  for (const { field } of requirements) {
    if (field === 'metadata.name' || (field === 'metadata.namespace' && served.definition.namespaced)) continue;
    if (!Object.hasOwn(served.definition.selectableFields, field)) {
      throw StatusError.badRequest(unsupportedField(served, field));
    }
  }
  if (requirements.length === 0) return undefined;
  return {
    text: formatFieldSelector(requirements),
    matches: (read) => matchesFields(requirements, read),
    exact: (label) => requirements.find((r) => r.field === label && r.operator === '=')?.value,
  };
}

/** Kinds with selectable fields of their own have their own words upstream. */
function unsupportedField(served: Served, field: string): string {
  return Object.keys(served.definition.selectableFields).length === 0
    ? `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`
    : `field label not supported: ${field}`;
}
