// Finds the EndpointSlices of a Service: the one index that everything on a node asks.
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { Informer } from '#client/client.ts';
import type { ObjectKey } from '#machinery/object.ts';
import { serviceKeyOf } from '#netmodel/names.ts';

const SLICES_OF_SERVICE = 'service';

/** Declares the index; may run again for the same informer. */
export function indexByService(slices: Informer<EndpointSlice>): void {
  slices.addIndex(SLICES_OF_SERVICE, (slice) => [serviceKeyOf(slice) ?? '']);
}

export function slicesOf(slices: Informer<EndpointSlice>, service: ObjectKey): readonly EndpointSlice[] {
  return slices.byIndex(SLICES_OF_SERVICE, service);
}
