// Kubernetes' environments: which library came with which release. New expressions are compiled with what the cluster's
// release has; expressions already stored with everything.

import { CONVERSIONS } from './conversions.ts';
import { type CelEnvironment, createEnvironment } from './environment.ts';
import type { Library } from './functions.ts';
import { CIDR_LIBRARY, IP_LIBRARY } from './libraries/addresses.ts';
import { AUTHORIZER_LIBRARY, AUTHORIZER_SELECTORS_LIBRARY } from './libraries/authorizer.ts';
import { COMPREHENSIONS_LIBRARY } from './libraries/comprehensions.ts';
import { FORMAT_LIBRARY } from './libraries/formats.ts';
import { KUBERNETES_LISTS_LIBRARY, LISTS_LIBRARY, LISTS_MACROS } from './libraries/lists.ts';
import { OPTIONAL_LIBRARY, OPTIONAL_LIST_LIBRARY } from './libraries/optionals.ts';
import { QUANTITY_LIBRARY } from './libraries/quantities.ts';
import { REGEX_LIBRARY } from './libraries/regex.ts';
import { SEMVER_LIBRARY } from './libraries/semver.ts';
import { SETS_LIBRARY } from './libraries/sets.ts';
import { stringFormatLibrary, STRINGS_LIBRARY } from './libraries/strings.ts';
import { URLS_LIBRARY } from './libraries/urls.ts';
import { type MacroSet, OPTIONAL_MACROS, STANDARD_MACROS, TWO_VARIABLE_MACROS } from './macros.ts';
import { CROSS_TYPE_LIBRARY, OPERATOR_LIBRARY, STANDARD_LIBRARY } from './standard.ts';

/** Limits of upstream, in units of cost. A unit is about what reading one field costs. */
export const COST_LIMITS = {
  /** One evaluation of one expression. */
  perCall: 1_000_000,
  /** All rules of a custom resource, or all expressions of one policy or configuration, for one request. */
  perRequest: 10_000_000,
  /** All match conditions of one webhook. */
  matchConditions: 2_500_000,
  /** The estimate of one rule of a CustomResourceDefinition. */
  rule: 10_000_000,
  /** The estimates of all rules of a CustomResourceDefinition together. */
  definition: 100_000_000,
} as const;

interface Introduced {
  /** Minor release of Kubernetes 1. */
  readonly since: number;
  readonly libraries?: readonly Library[];
  readonly macros?: readonly MacroSet[];
}

const RELEASES: readonly Introduced[] = [
  {
    since: 0,
    libraries: [
      OPERATOR_LIBRARY,
      STANDARD_LIBRARY,
      CONVERSIONS,
      STRINGS_LIBRARY,
      URLS_LIBRARY,
      REGEX_LIBRARY,
      KUBERNETES_LISTS_LIBRARY,
    ],
    macros: [STANDARD_MACROS],
  },
  { since: 27, libraries: [AUTHORIZER_LIBRARY, AUTHORIZER_SELECTORS_LIBRARY] },
  {
    since: 28,
    libraries: [CROSS_TYPE_LIBRARY, OPTIONAL_LIBRARY, OPTIONAL_LIST_LIBRARY, QUANTITY_LIBRARY],
    macros: [OPTIONAL_MACROS],
  },
  { since: 29, libraries: [stringFormatLibrary('quoted'), SETS_LIBRARY] },
  { since: 30, libraries: [IP_LIBRARY, CIDR_LIBRARY] },
  { since: 31, libraries: [FORMAT_LIBRARY] },
  { since: 32, libraries: [COMPREHENSIONS_LIBRARY], macros: [TWO_VARIABLE_MACROS] },
  { since: 33, libraries: [SEMVER_LIBRARY] },
  { since: 34, libraries: [LISTS_LIBRARY], macros: [LISTS_MACROS] },
];
const NEWEST = 36;
/** Since when literal durations, timestamps and patterns are looked at while compiling. */
const CHECKED_LITERALS_SINCE = 29;
const OPTIONALS_SINCE = 28;

const environments = new Map<number, CelEnvironment>();

/** The environment of release 1.`minor`, without any variables. */
export function kubernetesEnvironment(minor = NEWEST): CelEnvironment {
  const known = environments.get(minor);
  if (known !== undefined) return known;
  const included = RELEASES.filter((release) => release.since <= minor);
  const env = createEnvironment({
    libraries: included.flatMap((release) => release.libraries ?? []),
    macros: included.flatMap((release) => release.macros ?? []),
    optionalSyntax: minor >= OPTIONALS_SINCE,
    homogeneousLiterals: true,
    checkedLiterals: minor >= CHECKED_LITERALS_SINCE,
  });
  environments.set(minor, env);
  return env;
}
