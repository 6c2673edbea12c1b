// Event.
import type { Event } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const event: ResourceDefinition<Event> = defineKind<Event>({
  resource: 'events',
  shortNames: ['ev'],
});
