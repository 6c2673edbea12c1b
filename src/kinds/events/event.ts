// Event of events.k8s.io: the same objects as the core group's, in the newer shape.
import type { Event as CoreEvent } from '#generated/api/core-v1.ts';
import type { Event } from '#generated/api/events-v1.ts';
import type { KubeObject } from '#machinery/object.ts';
import { schemaByName } from '#schema/load.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { event, eventFields, eventStrategy } from '../core/event.ts';
import { defineKind } from '../define.ts';

export const newEvent: ResourceDefinition<CoreEvent> = {
  ...defineKind<CoreEvent>({
    group: 'events.k8s.io',
    resource: 'events',
    shortNames: ['ev'],
    selectableFields: { ...eventFields, 'regarding.name': (e) => e.involvedObject?.name ?? '' },
    strategy: eventStrategy,
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
