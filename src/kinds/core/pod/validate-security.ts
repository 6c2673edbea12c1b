// Rules for the security contexts of a pod and its containers, and for pods in a user namespace of their own.
import type { AppArmorProfile, PodSpec, SeccompProfile, SecurityContext } from '#generated/api/core-v1.ts';
import { fieldError } from '#machinery/status.ts';
import { at, child, type Errors } from '../../rules.ts';

const PROFILE_TYPES = ['Localhost', 'RuntimeDefault', 'Unconfined'];
/** A path's limit in the kernel, without its end. */
const LOCALHOST_PROFILE_MAX = 4095;
const SYSCTL_MAX = 253;
/** Upstream's text for it is shown to users. */
const SYSCTL_FORMAT = '([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const SYSCTL = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;

export function validatePodSecurityContext(spec: PodSpec, path: string, errors: Errors): void {
  const context = spec.securityContext;
  const where = `${path}.securityContext`;
  if (spec.shareProcessNamespace === true && spec.hostPID === true) {
    errors.push(
      fieldError.invalid(
        `${path}.shareProcessNamespace`,
        true,
        'ShareProcessNamespace and HostPID cannot both be enabled',
      ),
    );
  }
  if (context === undefined) return;
  for (const member of ['runAsUser', 'runAsGroup', 'fsGroup'] as const) {
    const value = context[member];
    if (value !== undefined && (value < 0 || value > 2147483647))
      errors.push(fieldError.invalid(child(where, member), value, 'must be between 0 and 2147483647, inclusive'));
  }
  for (const [index, group] of (context.supplementalGroups ?? []).entries()) {
    if (group < 0 || group > 2147483647)
      errors.push(
        fieldError.invalid(
          at(`${where}.supplementalGroups`, index),
          group,
          'must be between 0 and 2147483647, inclusive',
        ),
      );
  }
  if (
    context.fsGroupChangePolicy !== undefined &&
    !['Always', 'OnRootMismatch'].includes(context.fsGroupChangePolicy)
  ) {
    errors.push(
      fieldError.notSupported(`${where}.fsGroupChangePolicy`, context.fsGroupChangePolicy, [
        'Always',
        'OnRootMismatch',
      ]),
    );
  }
  if (
    context.supplementalGroupsPolicy !== undefined &&
    !['Merge', 'Strict'].includes(context.supplementalGroupsPolicy)
  ) {
    errors.push(
      fieldError.notSupported(`${where}.supplementalGroupsPolicy`, context.supplementalGroupsPolicy, [
        'Merge',
        'Strict',
      ]),
    );
  }
  validateSysctls(spec, `${where}.sysctls`, errors);
  validateSeccompProfile(context.seccompProfile, `${where}.seccompProfile`, errors);
  validateAppArmorProfile(context.appArmorProfile, `${where}.appArmorProfile`, errors);
}

function validateSysctls(spec: PodSpec, path: string, errors: Errors): void {
  const names = new Set<string>();
  for (const [index, { name = '' }] of (spec.securityContext?.sysctls ?? []).entries()) {
    const where = `${at(path, index)}.name`;
    if (name === '') errors.push(fieldError.required(where));
    else if (name.length > SYSCTL_MAX || !SYSCTL.test(name))
      errors.push(
        fieldError.invalid(
          where,
          name,
          `must have at most ${SYSCTL_MAX} characters and match regex ^${SYSCTL_FORMAT}$`,
        ),
      );
    else if (names.has(name)) errors.push(fieldError.duplicate(where, name));
    names.add(name);
    const namespace = sysctlNamespace(name);
    if (namespace !== undefined && spec[namespace] === true)
      errors.push(fieldError.invalid(where, name, `may not be specified when '${namespace}' is true`));
  }
}

/** The field that shares the namespace of a sysctl with the node; undefined when it is in none that upstream knows. */
function sysctlNamespace(name: string): 'hostIPC' | 'hostNetwork' | undefined {
  const dotted = name.replaceAll('/', '.');
  if (dotted === 'kernel.sem' || /^(kernel\.shm|kernel\.msg|fs\.mqueue\.)/.test(dotted)) return 'hostIPC';
  return dotted.startsWith('net.') ? 'hostNetwork' : undefined;
}

function validateSeccompProfile(profile: SeccompProfile | undefined, path: string, errors: Errors): void {
  if (profile === undefined) return;
  const { type, localhostProfile } = profile;
  if ((type ?? '') === '')
    errors.push(fieldError.required(`${path}.type`, 'type is required when seccompProfile is set'));
  else if (!PROFILE_TYPES.includes(type)) errors.push(fieldError.notSupported(`${path}.type`, type, PROFILE_TYPES));
  const where = `${path}.localhostProfile`;
  if (type !== 'Localhost') {
    if (localhostProfile !== undefined)
      errors.push(fieldError.invalid(where, profile, 'can only be set when seccomp type is Localhost'));
    return;
  }
  if (localhostProfile === undefined)
    errors.push(fieldError.required(where, 'must be set when seccomp type is Localhost'));
  else if (localhostProfile.startsWith('/'))
    errors.push(fieldError.invalid(where, localhostProfile, 'must be a relative path'));
  else if (localhostProfile.split('/').includes('..'))
    errors.push(fieldError.invalid(where, localhostProfile, "must not contain '..'"));
}

function validateAppArmorProfile(profile: AppArmorProfile | undefined, path: string, errors: Errors): void {
  if (profile === undefined) return;
  const { type, localhostProfile } = profile;
  const where = `${path}.localhostProfile`;
  if ((type ?? '') === '')
    errors.push(fieldError.required(`${path}.type`, 'type is required when appArmorProfile is set'));
  else if (!PROFILE_TYPES.includes(type)) errors.push(fieldError.notSupported(`${path}.type`, type, PROFILE_TYPES));
  else if (type !== 'Localhost') {
    if (localhostProfile !== undefined)
      errors.push(fieldError.invalid(where, localhostProfile, 'can only be set when AppArmor type is Localhost'));
  } else if (localhostProfile === undefined || localhostProfile === '')
    errors.push(fieldError.required(where, 'must be set when AppArmor type is Localhost'));
  else if (localhostProfile.trim() !== localhostProfile)
    errors.push(fieldError.invalid(where, localhostProfile, 'must not be padded with whitespace'));
  else if (Buffer.byteLength(localhostProfile) > LOCALHOST_PROFILE_MAX)
    errors.push(fieldError.tooLong(where, LOCALHOST_PROFILE_MAX));
}

/** Ids of a pod's own mean nothing in namespaces of the node, nor on a device. */
export function validateHostUsers(spec: PodSpec, path: string, errors: Errors): void {
  if (spec.hostUsers !== false) return;
  const why = 'when `hostUsers` is false';
  if (spec.hostNetwork === true) errors.push(fieldError.forbidden(`${path}.hostNetwork`, why));
  // Upstream's spelling of these two.
  if (spec.hostPID === true) errors.push(fieldError.forbidden(`${path}.HostPID`, why));
  if (spec.hostIPC === true) errors.push(fieldError.forbidden(`${path}.HostIPC`, why));
  for (const list of ['initContainers', 'containers'] as const)
    for (const [index, container] of (spec[list] ?? []).entries())
      if ((container.volumeDevices ?? []).length > 0)
        errors.push(fieldError.forbidden(`${at(`${path}.${list}`, index)}.volumeDevices`, why));
}

export function validateSecurityContext(
  context: SecurityContext,
  path: string,
  hostUsers: boolean,
  errors: Errors,
): void {
  const id = 'must be between 0 and 2147483647, inclusive';
  for (const member of ['runAsUser', 'runAsGroup'] as const) {
    const value = context[member];
    if (value !== undefined && (value < 0 || value > 2147483647))
      errors.push(fieldError.invalid(child(path, member), value, id));
  }
  if (context.procMount !== undefined && !['Default', 'Unmasked'].includes(context.procMount)) {
    errors.push(fieldError.notSupported(`${path}.procMount`, context.procMount, ['Default', 'Unmasked']));
  }
  if (context.procMount === 'Unmasked' && hostUsers) {
    errors.push(
      fieldError.invalid(`${path}.procMount`, context.procMount, '`hostUsers` must be false to use `Unmasked`'),
    );
  }
  validateSeccompProfile(context.seccompProfile, `${path}.seccompProfile`, errors);
  validateAppArmorProfile(context.appArmorProfile, `${path}.appArmorProfile`, errors);
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged === true)
      errors.push(
        fieldError.invalid(path, context, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'),
      );
    if ((context.capabilities?.add ?? []).some((c) => c === 'CAP_SYS_ADMIN')) {
      errors.push(
        fieldError.invalid(
          path,
          context,
          'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN',
        ),
      );
    }
  }
}
