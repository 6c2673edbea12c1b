// Event of the core group: the form events are stored in. events.k8s.io serves the same objects in its own shape.
import type { Event } from '#generated/api/core-v1.ts';
import { isQualifiedName } from '#machinery/names.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import { humanDuration, parseTime } from '#machinery/time.ts';
import type { ResourceDefinition, Strategy } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { column, since, wide } from '../table.ts';

/** Events go after an hour (upstream's --event-ttl). */
export const EVENT_TTL_SECONDS = 3600;

const sourceOf = (e: Event): string => e.source?.component || e.reportingComponent || '';

export const eventFields: Readonly<Record<string, (e: Event) => string>> = {
  'involvedObject.kind': (e) => e.involvedObject?.kind ?? '',
  'involvedObject.namespace': (e) => e.involvedObject?.namespace ?? '',
  'involvedObject.name': (e) => e.involvedObject?.name ?? '',
  'involvedObject.uid': (e) => e.involvedObject?.uid ?? '',
  'involvedObject.apiVersion': (e) => e.involvedObject?.apiVersion ?? '',
  'involvedObject.resourceVersion': (e) => e.involvedObject?.resourceVersion ?? '',
  'involvedObject.fieldPath': (e) => e.involvedObject?.fieldPath ?? '',
  reason: (e) => e.reason ?? '',
  reportingComponent: (e) => e.reportingComponent ?? '',
  source: sourceOf,
  type: (e) => e.type ?? '',
};

export const eventStrategy: Strategy<Event> = {
  allowCreateOnUpdate: true,
  ttlSeconds: EVENT_TTL_SECONDS,
  validateCreate: validate,
  validateUpdate: validate,
};

export const event: ResourceDefinition<Event> = defineKind<Event>({
  resource: 'events',
  shortNames: ['ev'],
  selectableFields: eventFields,
  strategy: eventStrategy,
  table: {
    columns: [
      column('Last Seen'),
      column('Type'),
      column('Reason'),
      column('Object'),
      wide('Subobject'),
      wide('Source'),
      column('Message'),
      wide('First Seen'),
      wide('Count', 'integer'),
      wide('Name'),
    ],
    cells: (e, nowMs) => {
      const first = e.firstTimestamp ?? e.eventTime ?? undefined;
      const last = e.series?.lastObservedTime ?? e.lastTimestamp ?? first;
      const count = e.series?.count ?? (e.count === undefined || e.count === 0 ? 1 : e.count);
      const target = e.involvedObject?.name
        ? `${(e.involvedObject.kind ?? '').toLowerCase()}/${e.involvedObject.name}`
        : (e.involvedObject?.kind ?? '').toLowerCase();
      return [
        lastSeen(last, nowMs),
        e.type ?? '',
        e.reason ?? '',
        target,
        e.involvedObject?.fieldPath ?? '',
        sourceText(e),
        (e.message ?? '').trim(),
        since(first, nowMs),
        count,
        e.metadata.name ?? '',
      ];
    },
  },
});

function lastSeen(time: string | undefined, nowMs: number): string {
  const ms = time === undefined ? undefined : parseTime(time);
  return ms === undefined ? '<unknown>' : humanDuration(nowMs - ms);
}

function sourceText(e: Event): string {
  const parts = [sourceOf(e), e.source?.host || e.reportingInstance || ''].filter((p) => p !== '');
  return parts.join(', ');
}

/** Bytes or characters of the texts of an event; upstream's limits. */
const MESSAGE_MAX = 1024;
const NAME_MAX = 128;

/** Upstream's legacyValidateEvent. Events with eventTime are of the newer kind and name their reporter. */
export function validateEvent(e: Event, reporterField: string): readonly FieldError[] {
  const namespace = e.involvedObject?.namespace ?? '';
  const own = e.metadata.namespace ?? '';
  const mismatch = fieldError.invalid('involvedObject.namespace', namespace, 'does not match event.namespace');
  const isNew = e.eventTime !== undefined && e.eventTime !== null;
  if (!isNew) {
    // Events about cluster-scoped objects live in the default namespace.
    const fits = namespace === '' ? own === '' || own === 'default' : own === namespace;
    return fits ? [] : [mismatch];
  }
  const errors: FieldError[] = [];
  if (namespace === '' && own !== 'default' && own !== 'kube-system') errors.push(mismatch);
  const reporter = e.reportingComponent ?? '';
  if (reporter === '') errors.push(fieldError.required(reporterField));
  for (const text of isQualifiedName(reporter)) errors.push(fieldError.invalid(reporterField, reporter, text));
  const named = [
    ['reportingInstance', e.reportingInstance],
    ['action', e.action],
    ['reason', e.reason],
  ] as const;
  for (const [path, value = ''] of named) {
    if (value === '') errors.push(fieldError.required(path));
    if (value.length > NAME_MAX) errors.push(fieldError.invalid(path, '', `can have at most ${NAME_MAX} characters`));
  }
  if (Buffer.byteLength(e.message ?? '') > MESSAGE_MAX)
    errors.push(fieldError.invalid('message', '', `can have at most ${MESSAGE_MAX} characters`));
  return errors;
}

function validate(e: Event): readonly FieldError[] {
  return validateEvent(e, 'reportingComponent');
}
