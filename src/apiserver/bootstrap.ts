// Objects every cluster has: system namespaces, priority classes, the service range, the Service of the API server itself with
// its endpoints. Hooks that run after each start; they change only what differs.
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { Exchange } from '#machinery/exchange.ts';
import { readBody } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';
import type { Status } from '#generated/api/meta-v1.ts';
import type { ServiceAllocator } from './allocation/services.ts';
import { apiServerUser } from './authentication/users.ts';
import type { ServedResources } from './served.ts';
import type { ApiServerOptions, PostStartHook } from './server.ts';
import { equalJson } from './verbs/write.ts';

export interface BootstrapDeps {
  readonly resources: ServedResources;
  readonly exchange: Exchange;
  readonly clock: Clock;
  readonly log: Log;
  readonly services: ServiceAllocator;
}

type Json = Record<string, unknown>;

export function bootstrapObjects(options: ApiServerOptions, deps: BootstrapDeps): readonly PostStartHook[] {
  const api = new LocalApi(deps.exchange);
  // Kinds that --runtime-config switched off have no objects.
  const serves = (group: string, resource: string) => deps.resources.find(group, 'v1', resource) !== undefined;
  return [
    // First: nothing can be created in a namespace that is not there.
    { name: 'start-system-namespaces-controller', run: () => systemNamespaces(api) },
    ...(serves('scheduling.k8s.io', 'priorityclasses')
      ? [{ name: 'scheduling/bootstrap-system-priority-classes', run: () => priorityClasses(api) }]
      : []),
    ...(serves('networking.k8s.io', 'servicecidrs')
      ? [
          {
            name: 'start-service-ip-repair-controllers',
            run: (signal: AbortSignal) => serviceCIDR(api, options, deps.clock, signal),
          },
        ]
      : []),
    {
      name: 'bootstrap-controller',
      run: async () => {
        await kubernetesService(api, options, deps.services);
        if (serves('discovery.k8s.io', 'endpointslices')) await kubernetesSlice(api, options);
      },
    },
  ];
}

async function systemNamespaces(api: LocalApi): Promise<void> {
  for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease']) {
    await api.ensure('/api/v1/namespaces', name, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
}

async function priorityClasses(api: LocalApi): Promise<void> {
  const path = '/apis/scheduling.k8s.io/v1/priorityclasses';
  const make = (name: string, value: number, description: string) => ({
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name },
    value,
    description,
  });
  await api.ensure(
    path,
    'system-cluster-critical',
    make(
      'system-cluster-critical',
      2_000_000_000,
      'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
    ),
  );
  await api.ensure(
    path,
    'system-node-critical',
    make(
      'system-node-critical',
      2_000_001_000,
      'Used for system critical pods that must not be moved from their current node.',
    ),
  );
}

async function serviceCIDR(
  api: LocalApi,
  options: ApiServerOptions,
  clock: Clock,
  _signal: AbortSignal,
): Promise<void> {
  const path = '/apis/networking.k8s.io/v1/servicecidrs';
  const found = await api.ensure(path, 'kubernetes', {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'kubernetes' },
    spec: { cidrs: [options.serviceCIDR, options.secondaryServiceCIDR ?? []].flat() },
  });
  const conditions = ((found.status as Json | undefined)?.conditions ?? []) as Json[];
  if (conditions.some((c) => c.type === 'Ready' && c.status === 'True')) return;
  const condition = {
    type: 'Ready',
    status: 'True',
    lastTransitionTime: new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z'),
    reason: '',
    message: 'Kubernetes Service CIDR is ready',
  };
  await api.put(`${path}/kubernetes/status`, { ...found, status: { conditions: [condition] } });
}

async function kubernetesService(api: LocalApi, options: ApiServerOptions, services: ServiceAllocator): Promise<void> {
  const { ip, port } = options.advertise;
  const ports = [{ name: 'https', port: 443, protocol: 'TCP', targetPort: port }];
  await api.ensure('/api/v1/namespaces/default/services', 'kubernetes', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kubernetes', namespace: 'default', labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: { clusterIP: services.clusterIPs.first, type: 'ClusterIP', sessionAffinity: 'None', ports },
  });
  const subsets = [{ addresses: [{ ip }], ports: [{ name: 'https', port, protocol: 'TCP' }] }];
  const endpointsPath = '/api/v1/namespaces/default/endpoints';
  const endpoints = await api.ensure(endpointsPath, 'kubernetes', {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' },
    },
    subsets,
  });
  if (!equalJson(endpoints.subsets, subsets)) await api.put(`${endpointsPath}/kubernetes`, { ...endpoints, subsets });
}

async function kubernetesSlice(api: LocalApi, { advertise }: ApiServerOptions): Promise<void> {
  const slice = {
    addressType: advertise.ip.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: [{ addresses: [advertise.ip], conditions: { ready: true } }],
    ports: [{ name: 'https', port: advertise.port, protocol: 'TCP' }],
  };
  const slicesPath = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
  const present = await api.ensure(slicesPath, 'kubernetes', {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'kubernetes', namespace: 'default', labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    ...slice,
  });
  const { addressType, endpoints: listed, ports: open } = present;
  if (!equalJson({ addressType, endpoints: listed, ports: open }, slice))
    await api.put(`${slicesPath}/kubernetes`, { ...present, ...slice });
}

/** The API as the server itself uses it. */
class LocalApi {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** The object as it stands, made first when it is not there. */
  async ensure(path: string, name: string, object: Json): Promise<Json> {
    const found = await this.#call('GET', `${path}/${name}`);
    if (found !== undefined) return found;
    try {
      return (await this.#call('POST', path, object))!;
    } catch (error) {
      // Another server on the same store was faster.
      if (error instanceof StatusError && error.reason === 'AlreadyExists')
        return (await this.#call('GET', `${path}/${name}`)) ?? object;
      throw error;
    }
  }

  async put(path: string, object: Json): Promise<void> {
    await this.#call('PUT', path, object);
  }

  async #call(method: string, path: string, body?: Json): Promise<Json | undefined> {
    const response = await this.#exchange({
      method,
      path,
      peer: { user: apiServerUser },
      signal: new AbortController().signal,
      headers: { 'content-type': 'application/json', 'user-agent': 'kube-apiserver' },
      ...(body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) }),
    });
    const value = JSON.parse(Buffer.from(await readBody(response.body)).toString('utf8')) as Json;
    if (response.status === 404 && method === 'GET') return undefined;
    if (response.status >= 400) throw StatusError.fromStatus(value as unknown as Status);
    return value;
  }
}
