// Everything at once: the language with all of cel-go's extensions, for comparison with the public suite. Kubernetes'
// environments are narrower (kubernetes.ts).

import { CONVERSIONS } from './conversions.ts';
import type { Library } from './functions.ts';
import { COMPREHENSIONS_LIBRARY } from './libraries/comprehensions.ts';
import { ENCODERS_LIBRARY } from './libraries/encoders.ts';
import { MATH_LIBRARY, MATH_MACROS } from './libraries/math.ts';
import { OPTIONAL_LIBRARY, OPTIONAL_LIST_LIBRARY } from './libraries/optionals.ts';
import { SETS_LIBRARY } from './libraries/sets.ts';
import { stringFormatLibrary, STRING_REVERSE_LIBRARY, STRINGS_LIBRARY } from './libraries/strings.ts';
import { BIND_MACROS, type MacroSet, OPTIONAL_MACROS, STANDARD_MACROS, TWO_VARIABLE_MACROS } from './macros.ts';
import { CROSS_TYPE_LIBRARY, OPERATOR_LIBRARY, STANDARD_LIBRARY } from './standard.ts';

export const FULL_LIBRARIES: readonly Library[] = [
  OPERATOR_LIBRARY,
  CROSS_TYPE_LIBRARY,
  STANDARD_LIBRARY,
  CONVERSIONS,
  OPTIONAL_LIBRARY,
  OPTIONAL_LIST_LIBRARY,
  STRINGS_LIBRARY,
  stringFormatLibrary('plain'),
  STRING_REVERSE_LIBRARY,
  SETS_LIBRARY,
  MATH_LIBRARY,
  ENCODERS_LIBRARY,
  COMPREHENSIONS_LIBRARY,
];

export const FULL_MACROS: readonly MacroSet[] = [
  STANDARD_MACROS,
  BIND_MACROS,
  OPTIONAL_MACROS,
  TWO_VARIABLE_MACROS,
  MATH_MACROS,
];
