// Which volume serves a claim: pure. Upstream: pkg/volume/util and persistentvolume/index.go.
import type { PersistentVolume, PersistentVolumeClaim } from '#generated/api/core-v1.ts';
import { quantityToNumber } from '#machinery/quantity.ts';
import { matchesLabelSelector } from '../runtime/selection.ts';

export const classOf = (object: PersistentVolume | PersistentVolumeClaim): string =>
  object.spec?.storageClassName ?? object.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? '';
const modeOf = (object: PersistentVolume | PersistentVolumeClaim): string => object.spec?.volumeMode ?? 'Filesystem';
const capacityOf = (volume: PersistentVolume): number => quantityToNumber(volume.spec?.capacity?.storage);

/** The volume's claimRef names the claim; without a uid it was written by a person ahead of the claim. */
export function refersTo(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const ref = volume.spec?.claimRef;
  return (
    ref !== undefined &&
    ref.namespace === claim.metadata.namespace &&
    ref.name === claim.metadata.name &&
    (!ref.uid || ref.uid === claim.metadata.uid)
  );
}

/** Why the volume cannot be used for a claim that asks for it by name; undefined when it can. */
export function mismatch(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  const requested = quantityToNumber(claim.spec?.resources?.requests?.storage);
  if (volume.metadata.deletionTimestamp !== undefined)
    return `the volume is marked for deletion ${JSON.stringify(volume.metadata.name)}`;
  if (capacityOf(volume) < requested) return 'requested PV is too small';
  if (classOf(volume) !== classOf(claim)) return 'storageClassName does not match';
  if (modeOf(volume) !== modeOf(claim)) return 'incompatible volumeMode';
  if (!servesModes(volume, claim)) return 'incompatible accessMode';
  return undefined;
}

function servesModes(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const offered = volume.spec?.accessModes ?? [];
  return (claim.spec?.accessModes ?? []).every((mode) => offered.includes(mode));
}

/** The volume kept for this claim, else the smallest free one that fits; with `prebound` only the former. */
export function bestMatch(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  prebound: boolean,
): PersistentVolume | undefined {
  const fitting = volumes.filter((v) => mismatch(v, claim) === undefined);
  const kept = fitting.find((v) => refersTo(v, claim));
  if (kept !== undefined || prebound) return kept;
  const { selector } = claim.spec!;
  return fitting
    .filter((v) => v.spec!.claimRef === undefined && (v.status?.phase ?? 'Pending') === 'Available')
    .filter((v) => selector === undefined || matchesLabelSelector(selector, v.metadata.labels))
    .sort((a, b) => capacityOf(a) - capacityOf(b) || (a.metadata.name! < b.metadata.name! ? -1 : 1))[0];
}
