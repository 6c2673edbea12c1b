// Event.
import type { Event } from '#generated/api/events-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const newEvent: ResourceDefinition<Event> = defineKind<Event>({
  group: 'events.k8s.io',
  resource: 'events',
  shortNames: ['ev'],
});
