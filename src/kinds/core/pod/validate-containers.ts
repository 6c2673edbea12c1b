// Rules for containers: names, images, ports, environment, probes, hooks, resources, security.
import type {
  Container,
  ContainerPort,
  EnvVar,
  EphemeralContainer,
  Probe,
  ResourceRequirements,
  Volume,
} from '#generated/api/core-v1.ts';
import {
  isConfigMapKey,
  isDns1123Label,
  isDns1123Subdomain,
  isHttpHeaderName,
  isQualifiedName,
  isRelaxedEnvVarName,
  isValidPortName,
  isValidPortNum,
} from '#machinery/names.ts';
import { fieldError } from '#machinery/status.ts';
import { compareQuantity, tryParseQuantity } from '#machinery/quantity.ts';
import { type Errors, type Row, at, checkRows, child, messages } from '../../rules.ts';
import { isSidecar } from './requests.ts';
import { validateVolumeMounts } from './validate-volumes.ts';
import { validateSecurityContext } from './validate-security.ts';

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];

export interface ContainerContext {
  readonly volumes: ReadonlyMap<string, Volume>;
  readonly hostNetwork: boolean;
  readonly hostUsers: boolean;
  /** Grace of the pod, for hooks and probes. */
  readonly gracePeriodSeconds: number;
  /** Of the pod. */
  readonly restartPolicy: string | undefined;
}

const CONTAINER_ROWS: readonly Row<Container>[] = [
  { field: 'name', required: true },
  { field: 'name', format: isDns1123Label },
  { field: 'imagePullPolicy', oneOf: ['Always', 'IfNotPresent', 'Never'] },
];

export function validateContainers(
  containers: readonly Container[] | undefined,
  path: string,
  context: ContainerContext,
  names: Set<string>,
  errors: Errors,
): void {
  if ((containers ?? []).length === 0) {
    errors.push(fieldError.required(path));
    return;
  }
  for (const [index, container] of containers!.entries()) {
    const where = at(path, index);
    validateContainer(container, where, context, errors);
    uniqueName(container, where, names, errors);
    if (container.lifecycle !== undefined) validateLifecycle(container, where, context, errors);
    validateProbes(container, where, context, errors);
    if (container.restartPolicy !== undefined && !['Always', 'Never', 'OnFailure'].includes(container.restartPolicy)) {
      errors.push(
        fieldError.notSupported(`${where}.restartPolicy`, container.restartPolicy, ['Always', 'Never', 'OnFailure']),
      );
    }
  }
  validateHostPorts(containers!, path, errors);
}

export function validateInitContainers(
  containers: readonly Container[] | undefined,
  path: string,
  context: ContainerContext,
  names: Set<string>,
  errors: Errors,
): void {
  for (const [index, container] of (containers ?? []).entries()) {
    const where = at(path, index);
    validateContainer(container, where, context, errors);
    uniqueName(container, where, names, errors);
    if (isSidecar(container)) {
      if (container.lifecycle !== undefined) validateLifecycle(container, where, context, errors);
      validateProbes(container, where, context, errors);
      continue;
    }
    for (const member of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
      if (container[member] !== undefined)
        errors.push(
          fieldError.forbidden(child(where, member), 'may not be set for init containers without restartPolicy=Always'),
        );
    }
  }
}

const EPHEMERAL_FORBIDDEN = [
  'ports',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
  'resizePolicy',
] as const;

export function validateEphemeralContainers(
  containers: readonly EphemeralContainer[] | undefined,
  path: string,
  context: ContainerContext,
  names: Set<string>,
  errors: Errors,
): void {
  for (const [index, container] of (containers ?? []).entries()) {
    const where = at(path, index);
    validateContainer(container as Container, where, context, errors);
    uniqueName(container, where, names, errors);
    for (const member of EPHEMERAL_FORBIDDEN) {
      if (container[member] !== undefined)
        errors.push(fieldError.forbidden(child(where, member), 'cannot be set for an Ephemeral Container'));
    }
    if (
      container.targetContainerName !== undefined &&
      container.targetContainerName !== '' &&
      !names.has(container.targetContainerName)
    ) {
      errors.push(fieldError.notFound(`${where}.targetContainerName`, container.targetContainerName));
    }
  }
}

function uniqueName(container: { readonly name: string }, where: string, names: Set<string>, errors: Errors): void {
  if (names.has(container.name)) errors.push(fieldError.duplicate(`${where}.name`, container.name));
  else if ((container.name ?? '') !== '') names.add(container.name);
}

function validateContainer(container: Container, path: string, context: ContainerContext, errors: Errors): void {
  checkRows(container, path, CONTAINER_ROWS, errors);
  const image = container.image ?? '';
  if (image === '') errors.push(fieldError.required(`${path}.image`));
  else if (image !== image.trim())
    errors.push(fieldError.invalid(`${path}.image`, image, 'must not have leading or trailing whitespace'));
  const policy = container.terminationMessagePolicy;
  if (policy === undefined || policy === '') errors.push(fieldError.required(`${path}.terminationMessagePolicy`));
  else if (policy !== 'File' && policy !== 'FallbackToLogsOnError') {
    errors.push(fieldError.notSupported(`${path}.terminationMessagePolicy`, policy, ['FallbackToLogsOnError', 'File']));
  }
  validatePorts(container.ports, `${path}.ports`, context.hostNetwork, errors);
  validateEnv(container.env, `${path}.env`, errors);
  validateEnvFrom(container, `${path}.envFrom`, errors);
  validateVolumeMounts(container, context.volumes, path, errors);
  validateResources(container.resources, `${path}.resources`, errors);
  validateResizePolicy(container, `${path}.resizePolicy`, context, errors);
  if (container.securityContext !== undefined)
    validateSecurityContext(container.securityContext, `${path}.securityContext`, context.hostUsers, errors);
}

function validateResizePolicy(container: Container, path: string, context: ContainerContext, errors: Errors): void {
  const seen = new Set<string>();
  for (const [index, { resourceName, restartPolicy }] of (container.resizePolicy ?? []).entries()) {
    const where = at(path, index);
    if (seen.has(resourceName)) errors.push(fieldError.duplicate(`${where}.resourceName`, resourceName));
    seen.add(resourceName);
    for (const [field, value, known] of [
      ['resourceName', resourceName, ['cpu', 'memory']],
      ['restartPolicy', restartPolicy, ['NotRequired', 'RestartContainer']],
    ] as const) {
      if ((value ?? '') === '') errors.push(fieldError.required(`${where}.${field}`));
      else if (!known.some((k) => k === value)) errors.push(fieldError.notSupported(`${where}.${field}`, value, known));
    }
    // A container may restart where its pod does not.
    const policy = container.restartPolicy ?? context.restartPolicy;
    if (policy === 'Never' && restartPolicy === 'RestartContainer')
      errors.push(fieldError.invalid(path, restartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'"));
  }
}

function validatePorts(
  ports: readonly ContainerPort[] | undefined,
  path: string,
  hostNetwork: boolean,
  errors: Errors,
): void {
  const names = new Set<string>();
  for (const [index, port] of (ports ?? []).entries()) {
    const where = at(path, index);
    if (port.name !== undefined && port.name !== '') {
      messages(isValidPortName(port.name), `${where}.name`, port.name, errors);
      if (names.has(port.name)) errors.push(fieldError.duplicate(`${where}.name`, port.name));
      names.add(port.name);
    }
    if (port.containerPort === undefined || port.containerPort === 0)
      errors.push(fieldError.required(`${where}.containerPort`));
    else messages(isValidPortNum(port.containerPort), `${where}.containerPort`, port.containerPort, errors);
    if (port.hostPort !== undefined && port.hostPort !== 0) {
      messages(isValidPortNum(port.hostPort), `${where}.hostPort`, port.hostPort, errors);
      if (hostNetwork && port.hostPort !== port.containerPort) {
        errors.push(
          fieldError.invalid(
            `${where}.hostPort`,
            port.hostPort,
            'must match `containerPort` when `hostNetwork` is true',
          ),
        );
      }
    }
    if (port.protocol === undefined || port.protocol === '') errors.push(fieldError.required(`${where}.protocol`));
    else if (!PROTOCOLS.includes(port.protocol))
      errors.push(fieldError.notSupported(`${where}.protocol`, port.protocol, PROTOCOLS));
  }
}

function validateHostPorts(containers: readonly Container[], path: string, errors: Errors): void {
  const taken = new Set<string>();
  for (const [c, container] of containers.entries()) {
    for (const [p, port] of (container.ports ?? []).entries()) {
      if (port.hostPort === undefined || port.hostPort === 0) continue;
      const key = `${port.protocol}/${port.hostIP ?? ''}/${port.hostPort}`;
      if (taken.has(key)) errors.push(fieldError.duplicate(`${at(path, c)}.ports[${p}].hostPort`, key));
      taken.add(key);
    }
  }
}

const DOWNWARD_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
const ENV_SOURCES = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef', 'fileKeyRef'] as const;

function validateEnv(env: readonly EnvVar[] | undefined, path: string, errors: Errors): void {
  for (const [index, variable] of (env ?? []).entries()) {
    const where = at(path, index);
    if ((variable.name ?? '') === '') errors.push(fieldError.required(`${where}.name`));
    else messages(isRelaxedEnvVarName(variable.name), `${where}.name`, variable.name, errors);
    const from = variable.valueFrom;
    if (from === undefined) continue;
    const source = `${where}.valueFrom`;
    const set = ENV_SOURCES.filter((s) => from[s] !== undefined);
    if (set.length === 0) {
      errors.push(
        fieldError.invalid(
          source,
          '',
          'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
        ),
      );
    } else if ((variable.value ?? '') !== '') {
      errors.push(fieldError.invalid(source, '', 'may not be specified when `value` is not empty'));
    } else if (set.length > 1) {
      errors.push(fieldError.invalid(source, '', 'may not have more than one field specified at a time'));
    }
    if (from.fieldRef !== undefined) {
      const fieldPath = from.fieldRef.fieldPath ?? '';
      if (fieldPath === '') errors.push(fieldError.required(`${source}.fieldRef.fieldPath`));
      else if (!DOWNWARD_FIELDS.includes(fieldPath) && !/^metadata\.(labels|annotations)\['[^']+'\]$/.test(fieldPath)) {
        errors.push(
          fieldError.invalid(
            `${source}.fieldRef.fieldPath`,
            fieldPath,
            `error converting fieldPath: field label not supported: ${fieldPath}`,
          ),
        );
      }
    }
    for (const [member, ref] of [
      ['configMapKeyRef', from.configMapKeyRef],
      ['secretKeyRef', from.secretKeyRef],
    ] as const) {
      if (ref === undefined) continue;
      if ((ref.name ?? '') !== '')
        messages(isDns1123Subdomain(ref.name!), `${source}.${member}.name`, ref.name, errors);
      if ((ref.key ?? '') === '') errors.push(fieldError.required(`${source}.${member}.key`));
      else messages(isConfigMapKey(ref.key), `${source}.${member}.key`, ref.key, errors);
    }
    if (from.resourceFieldRef !== undefined && (from.resourceFieldRef.resource ?? '') === '')
      errors.push(fieldError.required(`${source}.resourceFieldRef.resource`));
  }
}

function validateEnvFrom(container: Container, path: string, errors: Errors): void {
  for (const [index, source] of (container.envFrom ?? []).entries()) {
    const where = at(path, index);
    if ((source.prefix ?? '') !== '')
      messages(isRelaxedEnvVarName(source.prefix!), `${where}.prefix`, source.prefix, errors);
    const set = (['configMapRef', 'secretRef'] as const).filter((s) => source[s] !== undefined);
    for (const member of set) {
      const name = source[member]?.name ?? '';
      if (name === '') errors.push(fieldError.required(`${where}.${member}.name`));
      else messages(isDns1123Subdomain(name), `${where}.${member}.name`, name, errors);
    }
    if (set.length === 0)
      errors.push(fieldError.invalid(where, '', 'must specify one of: `configMapRef` or `secretRef`'));
    if (set.length > 1)
      errors.push(fieldError.invalid(where, '', 'may not have more than one field specified at a time'));
  }
}

const STANDARD_RESOURCES = new Set(['cpu', 'memory', 'ephemeral-storage']);

const isStandardResource = (name: string): boolean => STANDARD_RESOURCES.has(name) || name.startsWith('hugepages-');
const isExtendedResource = (name: string): boolean =>
  name.includes('/') && !name.startsWith('kubernetes.io/') && !name.startsWith('requests.');

function validateResourceName(name: string, field: string, errors: Errors): void {
  messages(isQualifiedName(name), field, name, errors);
  if (!name.includes('/') && !isStandardResource(name))
    errors.push(fieldError.invalid(field, name, 'must be a standard resource for containers'));
}

export function validateResources(resources: ResourceRequirements | undefined, path: string, errors: Errors): void {
  if (resources === undefined) return;
  const { limits = {}, requests = {} } = resources;
  for (const [name, text] of Object.entries(limits)) {
    const field = `${path}.limits[${name}]`;
    validateResourceName(name, `${path}.limits`, errors);
    checkAmount(name, text, field, errors);
    if (isExtendedResource(name) && requests[name] === undefined && Object.keys(requests).length > 0) {
      errors.push(fieldError.required(`${path}.limits`, `Request must be set for non overcommitable resources`));
    }
  }
  for (const [name, text] of Object.entries(requests)) {
    const field = `${path}.requests[${name}]`;
    validateResourceName(name, `${path}.requests`, errors);
    checkAmount(name, text, field, errors);
    const limit = limits[name];
    const request = tryParseQuantity(text);
    const most = limit === undefined ? undefined : tryParseQuantity(limit);
    if (request !== undefined && most !== undefined) {
      const order = compareQuantity(request, most);
      const strict = isExtendedResource(name) || name.startsWith('hugepages-');
      if (strict && order !== 0)
        errors.push(fieldError.invalid(`${path}.requests`, text, `must be equal to ${name} limit of ${limit}`));
      else if (order > 0)
        errors.push(
          fieldError.invalid(`${path}.requests`, text, `must be less than or equal to ${name} limit of ${limit}`),
        );
    } else if (limit === undefined && isExtendedResource(name)) {
      errors.push(fieldError.required(`${path}.limits`, 'Limit must be set for non overcommitable resources'));
    }
  }
}

function checkAmount(name: string, text: string, field: string, errors: Errors): void {
  const quantity = tryParseQuantity(text);
  if (quantity === undefined) return;
  if (quantity.unscaled < 0n) errors.push(fieldError.invalid(field, text, 'must be greater than or equal to 0'));
  else if (quantity.scale < 0 && isExtendedResource(name))
    errors.push(fieldError.invalid(field, text, 'must be an integer'));
}

const HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const;
type Handler = Pick<Probe, 'exec' | 'httpGet' | 'tcpSocket' | 'grpc'> & {
  readonly sleep?: { readonly seconds: number };
};

function validateHandler(handler: Handler, path: string, gracePeriodSeconds: number, errors: Errors): void {
  const set = HANDLERS.filter((h) => handler[h] !== undefined);
  for (const extra of set.slice(1))
    errors.push(fieldError.forbidden(child(path, extra), 'may not specify more than 1 handler type'));
  if (set.length === 0) errors.push(fieldError.required(path, 'must specify a handler type'));
  if (handler.exec !== undefined && (handler.exec.command ?? []).length === 0)
    errors.push(fieldError.required(`${path}.exec.command`));
  if (handler.httpGet !== undefined) {
    const { httpGet } = handler;
    if ((httpGet.path ?? '') === '') errors.push(fieldError.required(`${path}.httpGet.path`));
    validatePortRef(httpGet.port, `${path}.httpGet.port`, errors);
    if (!['HTTP', 'HTTPS'].includes(httpGet.scheme ?? ''))
      errors.push(fieldError.notSupported(`${path}.httpGet.scheme`, httpGet.scheme, ['HTTP', 'HTTPS']));
    for (const header of httpGet.httpHeaders ?? [])
      messages(isHttpHeaderName(header.name), `${path}.httpGet.httpHeaders`, header.name, errors);
  }
  if (handler.tcpSocket !== undefined) validatePortRef(handler.tcpSocket.port, `${path}.tcpSocket.port`, errors);
  if (handler.grpc !== undefined)
    messages(isValidPortNum(handler.grpc.port), `${path}.grpc.port`, handler.grpc.port, errors);
  if (handler.sleep !== undefined && (handler.sleep.seconds < 0 || handler.sleep.seconds > gracePeriodSeconds)) {
    errors.push(
      fieldError.invalid(
        `${path}.sleep`,
        handler.sleep.seconds,
        `must be non-negative and less than terminationGracePeriodSeconds (${gracePeriodSeconds})`,
      ),
    );
  }
}

function validatePortRef(port: number | string, path: string, errors: Errors): void {
  if (typeof port === 'number') messages(isValidPortNum(port), path, port, errors);
  else messages(isValidPortName(port ?? ''), path, port, errors);
}

const PROBE_ROWS: readonly Row<Probe>[] = (
  ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const
).map((field) => ({ field, min: 0 }));

function validateProbes(container: Container, path: string, context: ContainerContext, errors: Errors): void {
  for (const member of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[member];
    if (probe === undefined) continue;
    const where = child(path, member);
    validateHandler(probe, where, context.gracePeriodSeconds, errors);
    checkRows(probe, where, PROBE_ROWS, errors);
    if (member !== 'readinessProbe' && probe.successThreshold !== 1)
      errors.push(fieldError.invalid(`${where}.successThreshold`, probe.successThreshold ?? 0, 'must be 1'));
    if (probe.terminationGracePeriodSeconds !== undefined) {
      if (member === 'readinessProbe')
        errors.push(
          fieldError.invalid(
            `${where}.terminationGracePeriodSeconds`,
            probe.terminationGracePeriodSeconds,
            'must not be set for readinessProbes',
          ),
        );
      else if (probe.terminationGracePeriodSeconds <= 0)
        errors.push(
          fieldError.invalid(
            `${where}.terminationGracePeriodSeconds`,
            probe.terminationGracePeriodSeconds,
            'must be greater than 0',
          ),
        );
    }
  }
}

function validateLifecycle(container: Container, path: string, context: ContainerContext, errors: Errors): void {
  const { postStart, preStop } = container.lifecycle!;
  if (postStart !== undefined)
    validateHandler(postStart, `${path}.lifecycle.postStart`, context.gracePeriodSeconds, errors);
  if (preStop !== undefined) validateHandler(preStop, `${path}.lifecycle.preStop`, context.gracePeriodSeconds, errors);
}
