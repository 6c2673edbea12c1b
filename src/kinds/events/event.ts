// Event of events.k8s.io: the same objects as the core group's, in the newer shape.
import type { Event as CoreEvent } from '#generated/api/core-v1.ts';
import type { Event } from '#generated/api/events-v1.ts';
import type { KubeObject } from '#machinery/object.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import { schemaByName } from '#schema/load.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { event, eventFields, eventStrategy, validateEvent } from '../core/event.ts';
import { defineKind } from '../define.ts';

export const newEvent: ResourceDefinition<CoreEvent> = {
  ...defineKind<CoreEvent>({
    group: 'events.k8s.io',
    resource: 'events',
    shortNames: ['ev'],
    selectableFields: {
      ...Object.fromEntries(
        Object.entries(eventFields)
          .filter(([label]) => label.startsWith('involvedObject.'))
          .map(([label, read]) => [label.replace('involvedObject.', 'regarding.'), read]),
      ),
      reason: eventFields.reason!,
      reportingController: eventFields.reportingComponent!,
      type: eventFields.type!,
    },
    strategy: { ...eventStrategy, validateCreate: validateNewEvent },
    table: event.table,
    conversions: { v1: { toStorage, fromStorage } },
  }),
  storedAs: {
    apiVersion: 'v1',
    get schema() {
      return schemaByName('io.k8s.api.core.v1.Event');
    },
  },
};

/** From the served shape to the core group's. */
function toStorage(object: KubeObject): KubeObject {
  const {
    note,
    regarding,
    reportingController,
    deprecatedCount,
    deprecatedFirstTimestamp,
    deprecatedLastTimestamp,
    deprecatedSource,
    ...rest
  } = object as Event;
  const stored: CoreEvent = {
    ...(rest as unknown as CoreEvent),
    apiVersion: 'v1',
    kind: 'Event',
    involvedObject: regarding ?? {},
    message: note,
    reportingComponent: reportingController,
    count: deprecatedCount,
    firstTimestamp: deprecatedFirstTimestamp,
    lastTimestamp: deprecatedLastTimestamp,
    source: deprecatedSource,
  };
  return stored;
}

function fromStorage(object: KubeObject): KubeObject {
  const { message, involvedObject, reportingComponent, count, firstTimestamp, lastTimestamp, source, ...rest } =
    object as CoreEvent;
  const served: Event = {
    ...(rest as unknown as Event),
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    regarding: involvedObject,
    note: message,
    reportingController: reportingComponent,
    deprecatedCount: count,
    deprecatedFirstTimestamp: firstTimestamp,
    deprecatedLastTimestamp: lastTimestamp,
    deprecatedSource: source,
  };
  return served;
}

/** Rules for what is written in the newer shape (upstream's ValidateEventCreate). */
function validateNewEvent(e: CoreEvent): readonly FieldError[] {
  const errors = [...validateEvent(e, 'reportingController')];
  const unset = (path: string, value: unknown) => {
    if (value !== undefined && value !== null && value !== '' && value !== 0)
      errors.push(fieldError.invalid(path, value, 'needs to be unset'));
  };
  if (e.series !== undefined && e.series !== null) {
    if ((e.series.count ?? 0) < 2) errors.push(fieldError.invalid('series.count', '', 'should be at least 2'));
    if ((e.series.lastObservedTime ?? '') === '') errors.push(fieldError.required('series.lastObservedTime'));
  }
  if (!isSet(e.eventTime)) errors.push(fieldError.required('eventTime'));
  if (e.type !== 'Normal' && e.type !== 'Warning')
    errors.push(fieldError.invalid('type', '', `has invalid value: ${e.type ?? ''}`));
  unset('firstTimestamp', e.firstTimestamp);
  unset('lastTimestamp', e.lastTimestamp);
  unset('count', e.count);
  unset('source', e.source?.component ?? e.source?.host);
  return errors;
}

const isSet = (time: string | null | undefined): boolean => time !== undefined && time !== null && time !== '';
