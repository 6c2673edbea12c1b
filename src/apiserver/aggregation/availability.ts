// Whether the server behind an APIService can be asked, as far as objects tell, and the condition that says so. Pure.
import type { APIService, APIServiceCondition } from '#generated/api/apiregistration-v1.ts';
import type { Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';

export type Verdict = Pick<APIServiceCondition, 'status' | 'reason' | 'message'>;

export const PASSED: Verdict = { status: 'True', reason: 'Passed', message: 'all checks passed' };

const no = (reason: string, message: string): Verdict => ({ status: 'False', reason, message });

export const failedDiscovery = (message: string): Verdict => no('FailedDiscoveryCheck', message);

export const availableCondition = ({ status }: APIService): APIServiceCondition | undefined =>
  status?.conditions?.find((c) => c.type === 'Available');

export const isAvailable = (apiService: APIService): boolean => availableCondition(apiService)?.status === 'True';

/** What speaks against asking at all; undefined when nothing does. */
export function objection(
  { spec }: APIService,
  service: Service | undefined,
  slices: readonly EndpointSlice[],
): Verdict | undefined {
  const { namespace = '', name = '', port = 443 } = spec?.service ?? {};
  const where = `service/${name} in ${JSON.stringify(namespace)}`;
  if (service === undefined) return no('ServiceNotFound', `${where} is not present`);
  if ((service.spec?.type ?? 'ClusterIP') !== 'ClusterIP') return undefined;
  const row = service.spec?.ports?.find((p) => p.port === port);
  if (row === undefined) return no('ServicePortError', `${where} is not listening on port ${port}`);
  if (slices.length === 0) return no('EndpointsNotFound', `cannot find endpointslices for ${where}`);
  const portName = row.name ?? '';
  if (!slices.some((slice) => hasEndpoint(slice, portName))) {
    const message = `endpointslices for ${where} have no addresses with port name ${JSON.stringify(portName)}`;
    return no('MissingEndpoints', message);
  }
  return undefined;
}

const hasEndpoint = (slice: EndpointSlice, portName: string): boolean =>
  (slice.endpoints ?? []).some((e) => e.conditions?.ready !== false) &&
  (slice.ports ?? []).some((p) => (p.name ?? '') === portName && p.port !== undefined);

/** The object with that verdict as its condition; undefined when it says so already. */
export function withVerdict(apiService: APIService, verdict: Verdict, now: string): APIService | undefined {
  const old = availableCondition(apiService);
  if (old?.status === verdict.status && old.reason === verdict.reason && old.message === verdict.message)
    return undefined;
  const lastTransitionTime = old?.status === verdict.status ? old.lastTransitionTime : now;
  const condition: APIServiceCondition = { type: 'Available', ...verdict, lastTransitionTime };
  const others = (apiService.status?.conditions ?? []).filter((c) => c.type !== 'Available');
  return { ...apiService, status: { conditions: [...others, condition] } };
}
