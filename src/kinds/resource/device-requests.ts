// What a request for devices comes back as, in claims and in templates of claims.
import type { DeviceClaim, DeviceRequest, ExactDeviceRequest } from '#generated/api/resource-v1.ts';

/** One device, where nothing else is said. */
type Counted = Pick<ExactDeviceRequest, 'allocationMode' | 'count'>;

function counted<T extends Counted>(request: T): T {
  const allocationMode = request.allocationMode || 'ExactCount';
  const count = allocationMode === 'ExactCount' ? request.count || 1 : request.count;
  return { ...request, allocationMode, ...(count === undefined ? {} : { count }) };
}

const defaultRequest = (request: DeviceRequest): DeviceRequest => ({
  ...request,
  ...(request.exactly ? { exactly: counted(request.exactly) } : {}),
  ...(request.firstAvailable ? { firstAvailable: request.firstAvailable.map(counted) } : {}),
});

export function defaultDevices<S extends { readonly devices?: DeviceClaim }>(spec: S): S {
  const requests = spec.devices?.requests;
  if (!requests) return spec;
  return { ...spec, devices: { ...spec.devices, requests: requests.map(defaultRequest) } };
}
