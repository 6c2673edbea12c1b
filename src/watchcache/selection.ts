// What a list or a watch asks for: a namespace and two selectors. The cache knows no selector syntax: it gets matchers, and
// a canonical text by which equal selections share their work.

/** A parsed label selector. */
export interface LabelMatcher {
  /** Canonical text; equal texts mean equal matchers. '' matches everything. */
  readonly text: string;
  matches(labels: Readonly<Record<string, string>>): boolean;
}

/** A parsed field selector. */
export interface FieldMatcher {
  readonly text: string;
  /** `field` reads a selectable field of the object (`metadata.name`, `spec.nodeName`); '' when it is not set. */
  matches(field: (label: string) => string): boolean;
  /** Value the selector demands of a field by `=` or `==`; undefined when it does not pin that field. */
  exact(label: string): string | undefined;
}

export interface Selection {
  /** Undefined or '': all namespaces. */
  readonly namespace?: string;
  readonly labels?: LabelMatcher;
  readonly fields?: FieldMatcher;
}

export const everything: Selection = {};

/** Equal texts mean that the same objects are selected. */
export function selectionText(selection: Selection): string {
  return `${selection.namespace ?? ''}\n${selection.labels?.text ?? ''}\n${selection.fields?.text ?? ''}`;
}

/** Whether a selector is there that has to look into objects. */
export function hasSelectors(selection: Selection): boolean {
  return (selection.labels?.text ?? '') !== '' || (selection.fields?.text ?? '') !== '';
}
