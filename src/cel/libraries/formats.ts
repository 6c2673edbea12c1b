// Kubernetes' formats of strings: format.dns1123Label().validate('x') gives the messages, or nothing when it fits.

import {
  isDns1035Label,
  isDns1123Label,
  isDns1123Subdomain,
  isLabelKey,
  isLabelValue,
  maskTrailingDash,
  type Messages,
} from '#machinery/names.ts';
import { fn, global, type Library, member } from '../functions.ts';
import { parseDate, parseTimestamp } from '../times.ts';
import { listOf, opaque, optionalOf, STRING } from '../types.ts';
import { Optional, type Opaque } from '../values.ts';
import { parseUrl, Url } from './urls.ts';

export const FORMAT_TYPE = opaque('kubernetes.NamedFormat');

export class Format implements Opaque {
  readonly typeName = 'kubernetes.NamedFormat';
  readonly name: string;
  readonly validate: (value: string) => Messages;
  /** Length of the pattern that the cost of a validation is counted by. */
  readonly patternLength: number;
  constructor(name: string, validate: (value: string) => Messages, patternLength: number) {
    this.name = name;
    this.validate = validate;
    this.patternLength = patternLength;
  }
  equals(other: Opaque): boolean {
    return other instanceof Format && other.name === this.name;
  }
}

const matching = (fits: (value: string) => boolean, message: string): ((value: string) => Messages) => {
  const messages = [message];
  return (value) => (fits(value) ? [] : messages);
};
const prefix =
  (validate: (value: string) => Messages): ((value: string) => Messages) =>
  (value) =>
    validate(maskTrailingDash(value));

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const uri = (value: string): Messages => {
  const parsed = parseUrl(value);
  return parsed instanceof Url ? [] : [parsed.reason];
};

const FORMATS: readonly Format[] = [
  new Format('dns1123Label', isDns1123Label, 30),
  new Format('dns1123Subdomain', isDns1123Subdomain, 60),
  new Format('dns1035Label', isDns1035Label, 30),
  new Format('qualifiedName', isLabelKey, 60),
  new Format('dns1123LabelPrefix', prefix(isDns1123Label), 30),
  new Format('dns1123SubdomainPrefix', prefix(isDns1123Subdomain), 60),
  new Format('dns1035LabelPrefix', prefix(isDns1035Label), 30),
  new Format('labelValue', isLabelValue, 40),
  new Format('uri', uri, 1103),
  new Format(
    'uuid',
    matching((value) => UUID.test(value), 'does not match the UUID format'),
    72,
  ),
  new Format(
    'byte',
    matching((value) => BASE64.test(value), 'invalid base64'),
    84,
  ),
  new Format(
    'date',
    matching((value) => parseDate(value) !== undefined, 'invalid date'),
    71,
  ),
  new Format(
    'datetime',
    matching((value) => parseTimestamp(value) !== undefined, 'invalid datetime'),
    71,
  ),
];
const BY_NAME: ReadonlyMap<string, Format> = new Map(FORMATS.map((format) => [format.name, format]));

function validate(format: Format, value: string): Optional {
  const messages = format.validate(value);
  return messages.length === 0 ? Optional.none : new Optional(messages);
}

export const FORMAT_LIBRARY: Library = {
  functions: [
    fn('validate', member('format-validate', [FORMAT_TYPE, STRING], optionalOf(listOf(STRING)), validate)),
    fn(
      'format.named',
      global('format-named', [STRING], optionalOf(FORMAT_TYPE), (name: string) => new Optional(BY_NAME.get(name))),
    ),
    ...FORMATS.map((format) =>
      fn(
        `format.${format.name}`,
        global(`format-${format.name}`, [], FORMAT_TYPE, () => format),
      ),
    ),
  ],
};
