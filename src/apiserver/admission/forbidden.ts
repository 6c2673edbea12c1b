// The refusal of an admission plugin, in upstream's form: 403 with the object's name, or what it would be made from.
import { StatusError } from '#machinery/status.ts';
import type { AdmissionAttributes } from '../pipeline.ts';

export function admissionForbidden(a: AdmissionAttributes, why: string): StatusError {
  const { name, generateName } = a.object?.metadata ?? {};
  return StatusError.forbidden(
    { group: a.group, resource: a.resource },
    a.name || name || generateName || 'Unknown',
    why,
  );
}
