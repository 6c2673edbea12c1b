// A container's environment: envFrom, then env with `$(VAR)`, then the variables of services that it did not name itself.
import type { ConfigMap, Pod, Secret, Service } from '#generated/api/core-v1.ts';
import type { KeyValue } from '../cri/messages.ts';
import type { AnyContainer } from './containers.ts';
import { expand } from './expansion.ts';
import { fieldValue, type NodeFacts, resourceValue } from './field-ref.ts';

/** Shown as the container's waiting reason. */
export class ContainerConfigError extends Error {
  readonly code = 'CreateContainerConfigError';
}

export interface EnvironmentSources {
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<Secret | undefined>;
  /** Services of the namespace, and the masters' service. */
  services(namespace: string): readonly Service[];
  readonly facts: NodeFacts;
}

export async function makeEnvironment(
  pod: Pod,
  container: AnyContainer,
  podIPs: readonly string[],
  sources: EnvironmentSources,
): Promise<readonly KeyValue[]> {
  const namespace = pod.metadata.namespace!;
  const result = new Map<string, string>();
  const service = serviceVariables(pod, sources.services(namespace), namespace);

  for (const from of container.envFrom ?? []) {
    const prefix = from.prefix ?? '';
    if (from.configMapRef !== undefined) {
      const data = await configMapData(
        namespace,
        from.configMapRef.name ?? '',
        from.configMapRef.optional === true,
        sources,
      );
      for (const [k, v] of Object.entries(data)) result.set(prefix + k, v);
    } else if (from.secretRef !== undefined) {
      const data = await secretData(namespace, from.secretRef.name ?? '', from.secretRef.optional === true, sources);
      for (const [k, v] of Object.entries(data)) result.set(prefix + k, decode(v));
    }
  }

  for (const env of container.env ?? []) {
    const value = await variableValue(
      env,
      pod,
      container,
      podIPs,
      sources,
      (name) => result.get(name) ?? service.get(name),
    );
    if (value !== undefined) result.set(env.name, value);
  }
  for (const [name, value] of service) if (!result.has(name)) result.set(name, value);
  return [...result].map(([key, value]) => ({ key, value }));
}

const decode = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');

async function variableValue(
  env: NonNullable<AnyContainer['env']>[number],
  pod: Pod,
  container: AnyContainer,
  podIPs: readonly string[],
  sources: EnvironmentSources,
  lookup: (name: string) => string | undefined,
): Promise<string | undefined> {
  const from = env.valueFrom;
  const namespace = pod.metadata.namespace!;
  if (from === undefined) return expand(env.value ?? '', lookup);
  if (from.fieldRef !== undefined) {
    const value = fieldValue(pod, from.fieldRef, sources.facts, podIPs);
    if (value === undefined) throw new ContainerConfigError(`unsupported fieldPath: ${from.fieldRef.fieldPath}`);
    return value;
  }
  if (from.resourceFieldRef !== undefined) {
    const value = resourceValue(pod, from.resourceFieldRef, container.name, sources.facts);
    if (value === undefined)
      throw new ContainerConfigError(`unsupported container resource : ${from.resourceFieldRef.resource}`);
    return value;
  }
  if (from.configMapKeyRef !== undefined) {
    const { name = '', key, optional = false } = from.configMapKeyRef;
    const data = await configMapData(namespace, name, optional, sources);
    if (data[key] === undefined && !optional)
      throw new ContainerConfigError(`couldn't find key ${key} in ConfigMap ${namespace}/${name}`);
    return data[key];
  }
  if (from.secretKeyRef !== undefined) {
    const { name = '', key, optional = false } = from.secretKeyRef;
    const data = await secretData(namespace, name, optional, sources);
    const value = data[key];
    if (value === undefined && !optional)
      throw new ContainerConfigError(`couldn't find key ${key} in Secret ${namespace}/${name}`);
    return value === undefined ? undefined : decode(value);
  }
  throw new ContainerConfigError(`environment variable ${env.name}: this source of a value is not supported`);
}

async function configMapData(
  namespace: string,
  name: string,
  optional: boolean,
  sources: EnvironmentSources,
): Promise<Readonly<Record<string, string>>> {
  const map = await sources.configMap(namespace, name);
  if (map === undefined && !optional) throw new ContainerConfigError(`configmap ${JSON.stringify(name)} not found`);
  return map?.data ?? {};
}

async function secretData(
  namespace: string,
  name: string,
  optional: boolean,
  sources: EnvironmentSources,
): Promise<Readonly<Record<string, string>>> {
  const secret = await sources.secret(namespace, name);
  if (secret === undefined && !optional) throw new ContainerConfigError(`secret ${JSON.stringify(name)} not found`);
  return secret?.data ?? {};
}

/** FOO_SERVICE_HOST and the rest, in Docker's old form; the API server's always, others unless enableServiceLinks is false. */
export function serviceVariables(pod: Pod, services: readonly Service[], namespace: string): Map<string, string> {
  const out = new Map<string, string>();
  const links = pod.spec?.enableServiceLinks !== false;
  for (const service of services) {
    const { clusterIP, ports = [] } = service.spec ?? {};
    if (clusterIP === undefined || clusterIP === '' || clusterIP === 'None' || ports.length === 0) continue;
    const isMaster = service.metadata.namespace === 'default' && service.metadata.name === 'kubernetes';
    if (!isMaster && (service.metadata.namespace !== namespace || !links)) continue;
    const name = service.metadata.name!.toUpperCase().replaceAll('-', '_');
    out.set(`${name}_SERVICE_HOST`, clusterIP);
    out.set(`${name}_SERVICE_PORT`, String(ports[0]!.port));
    for (const port of ports) {
      if (port.name !== undefined && port.name !== '')
        out.set(`${name}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`, String(port.port));
    }
    const host = clusterIP.includes(':') ? `[${clusterIP}]` : clusterIP;
    ports.forEach((port, i) => {
      const protocol = (port.protocol ?? 'TCP').toLowerCase();
      const url = `${protocol}://${host}:${port.port}`;
      if (i === 0) out.set(`${name}_PORT`, url);
      const prefix = `${name}_PORT_${port.port}_${protocol.toUpperCase()}`;
      out.set(prefix, url);
      out.set(`${prefix}_PROTO`, protocol);
      out.set(`${prefix}_PORT`, String(port.port));
      out.set(`${prefix}_ADDR`, clusterIP);
    });
  }
  return out;
}
