// Formats of names (apimachinery, util/validation): each rule returns upstream's messages, an empty list when the value fits.
import { parseCIDR, parseIP } from '#base/ip.ts';

export type Messages = readonly string[];

const NONE: Messages = [];

export const LABEL_MAX = 63;
export const SUBDOMAIN_MAX = 253;

const LABEL_FMT = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const LABEL_1035_FMT = '[a-z]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN_FMT = `${LABEL_FMT}(\\.${LABEL_FMT})*`;
const QUALIFIED_FMT = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';

const LABEL = new RegExp(`^${LABEL_FMT}$`);
const LABEL_1035 = new RegExp(`^${LABEL_1035_FMT}$`);
// One pass instead of the nested pattern, which backtracks badly on long names.
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED = new RegExp(`^${QUALIFIED_FMT}$`);

/** `<msg> (e.g. 'a', or 'b', regex used for validation is '…')` */
function regexError(message: string, format: string, ...examples: readonly string[]): string {
  if (examples.length === 0) return `${message} (regex used for validation is '${format}')`;
  const shown = examples.map((e) => `'${e}', `).join(' or ');
  return `${message} (e.g. ${shown}regex used for validation is '${format}')`;
}

const maxLenError = (max: number): string => `must be no more than ${max} bytes`;
export const EMPTY_ERROR = 'must be non-empty';

export const inclusiveRangeError = (low: number, high: number): string =>
  `must be between ${low} and ${high}, inclusive`;

const LABEL_ERROR = regexError(
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  LABEL_FMT,
  'my-name',
  '123-abc',
);
const LABEL_1035_ERROR = regexError(
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  LABEL_1035_FMT,
  'my-name',
  'abc-123',
);
const SUBDOMAIN_ERROR = regexError(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  SUBDOMAIN_FMT,
  'example.com',
);
const QUALIFIED_ERROR = regexError(
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  QUALIFIED_FMT,
  'MyName',
  'my.name',
  '123-abc',
);
const LABEL_VALUE_ERROR = regexError(
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  `(${QUALIFIED_FMT})?`,
  'MyValue',
  'my_value',
  '12345',
);

const byteLength = (text: string): number => Buffer.byteLength(text);

/** Names are counted in characters and label values in bytes, where upstream says so. */
function formatted(value: string, max: number, pattern: RegExp, error: string, unit = 'characters'): Messages {
  const tooLong = value.length > max || byteLength(value) > max;
  if (!tooLong && pattern.test(value)) return NONE;
  const messages: string[] = [];
  if (tooLong) messages.push(`must be no more than ${max} ${unit}`);
  if (!pattern.test(value)) messages.push(error);
  return messages;
}

export const isDns1123Label = (value: string): Messages => formatted(value, LABEL_MAX, LABEL, LABEL_ERROR);
export const isDns1123Subdomain = (value: string): Messages =>
  formatted(value, SUBDOMAIN_MAX, SUBDOMAIN, SUBDOMAIN_ERROR);
export const isDns1035Label = (value: string): Messages => formatted(value, LABEL_MAX, LABEL_1035, LABEL_1035_ERROR);

const WILDCARD_FMT = `\\*\\.${SUBDOMAIN_FMT}`;
const WILDCARD = new RegExp(`^${WILDCARD_FMT}$`);
export const isWildcardDns1123Subdomain = (value: string): Messages =>
  formatted(
    value,
    SUBDOMAIN_MAX,
    WILDCARD,
    regexError(
      "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
      WILDCARD_FMT,
      '*.example.com',
    ),
  );

/** `prefix/name` or `name`: keys of labels, annotations, finalizers, resources, taints. */
export function isQualifiedName(value: string, noun = 'a qualified name'): Messages {
  const parts = value.split('/');
  const messages: string[] = [];
  let name = value;
  if (parts.length === 2) {
    const prefix = parts[0]!;
    name = parts[1]!;
    if (prefix === '') messages.push(`prefix part ${EMPTY_ERROR}`);
    else messages.push(...isDns1123Subdomain(prefix).map((m) => `prefix part ${m}`));
  } else if (parts.length > 2) {
    return [
      `${noun} ${regexError("must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character", QUALIFIED_FMT, 'MyName', 'my.name', '123-abc')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  if (name === '') messages.push(`name part ${EMPTY_ERROR}`);
  else if (byteLength(name) > LABEL_MAX) messages.push(`name part ${maxLenError(LABEL_MAX)}`);
  if (!QUALIFIED.test(name)) messages.push(`name part ${QUALIFIED_ERROR}`);
  return messages.length === 0 ? NONE : messages;
}

export const isLabelKey = (value: string): Messages => isQualifiedName(value, 'a valid label key');

const LABEL_VALUE = new RegExp(`^(${QUALIFIED_FMT})?$`);
export const isLabelValue = (value: string): Messages =>
  formatted(value, LABEL_MAX, LABEL_VALUE, LABEL_VALUE_ERROR, 'bytes');

/** Names that become one segment of a URL path (RBAC objects and all others). */
export function isPathSegment(value: string): Messages {
  if (value === '.' || value === '..') return [`may not be '${value}'`];
  const messages: string[] = [];
  for (const bad of ['/', '%']) if (value.includes(bad)) messages.push(`may not contain '${bad}'`);
  return messages;
}

const HTTP_PATH_FMT = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
const HTTP_PATH = new RegExp(`^${HTTP_PATH_FMT}$`);

/** `acme.io/foo`: a subdomain, then a path. Each message is about the part of the value it comes with. */
export function isDomainPrefixedPath(text: string): readonly { readonly value: string; readonly message: string }[] {
  const slash = text.indexOf('/');
  const [host, path] = slash < 0 ? ['', ''] : [text.slice(0, slash), text.slice(slash + 1)];
  if (host === '' || path === '')
    return [{ value: text, message: 'must be a domain-prefixed path (such as "acme.io/foo")' }];
  return [
    ...isDns1123Subdomain(host).map((message) => ({ value: host, message })),
    ...(HTTP_PATH.test(path) ? [] : [{ value: path, message: regexError('Invalid path', HTTP_PATH_FMT) }]),
  ];
}

/** IANA_SVC_NAME, with upstream's several messages. */
export function isValidPortName(port: string): Messages {
  const messages: string[] = [];
  if (port.length > 15) messages.push('must be no more than 15 characters');
  if (!/^[-a-z0-9]+$/.test(port))
    messages.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(port)) messages.push('must contain at least one letter (a-z)');
  if (port.includes('--')) messages.push('must not contain consecutive hyphens');
  if (port.length > 0 && (port.startsWith('-') || port.endsWith('-')))
    messages.push('must not begin or end with a hyphen');
  return messages;
}

export const isValidPortNum = (port: number): Messages =>
  Number.isInteger(port) && port >= 1 && port <= 65535 ? NONE : [inclusiveRangeError(1, 65535)];

export const IP_ERROR = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
export const CIDR_ERROR = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

/** Upstream's parser refuses leading zeros and IPv6 zones. */
export const isValidIP = (value: string): Messages => (parseIP(value) !== undefined ? NONE : [IP_ERROR]);

export const isValidCIDR = (value: string): Messages => (parseCIDR(value) !== undefined ? NONE : [CIDR_ERROR]);

/** Environment variable names, relaxed: any printable ASCII but '='. */
export function isRelaxedEnvVarName(value: string): Messages {
  if (value.length === 0) return [`environment variable name ${EMPTY_ERROR}`];
  for (const char of value) {
    if (char < ' ' || char > '~' || char === '=')
      return ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
  }
  return NONE;
}

const CONFIG_MAP_KEY_FMT = '[-._a-zA-Z0-9]+';
export function isConfigMapKey(value: string): Messages {
  const messages: string[] = [];
  if (value.length > SUBDOMAIN_MAX) messages.push(maxLenError(SUBDOMAIN_MAX));
  if (!/^[-._a-zA-Z0-9]+$/.test(value)) {
    messages.push(
      regexError(
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        CONFIG_MAP_KEY_FMT,
        'key.name',
        'KEY_NAME',
        'key-name',
      ),
    );
  }
  if (value === '.' || value === '..') messages.push(`must not be '${value}'`);
  else if (value.startsWith('..')) messages.push("must not start with '..'");
  return messages;
}

const PERCENT_FMT = '[0-9]+%';
export const isValidPercent = (value: string): Messages =>
  /^[0-9]+%$/.test(value)
    ? NONE
    : [
        regexError(
          "a valid percent string must be a numeric string followed by an ending '%'",
          PERCENT_FMT,
          '1%',
          '93%',
        ),
      ];

const HTTP_HEADER_FMT = '[-A-Za-z0-9]+';
export const isHttpHeaderName = (value: string): Messages =>
  /^[-A-Za-z0-9]+$/.test(value)
    ? NONE
    : [
        regexError(
          "a valid HTTP header must consist of alphanumeric characters or '-'",
          HTTP_HEADER_FMT,
          'X-Header-Name',
        ),
      ];

/** A generateName is checked as its prefix: a trailing dash stands for the letters to come. */
export const maskTrailingDash = (name: string): string =>
  name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name;
