// projected volumes (service account tokens among them): in memory only, on the node's one tmpfs.
import { writePayload } from './payload.ts';
import { ownershipOf, projectedFiles } from './sources.ts';
import type { VolumePlugin } from './volume.ts';

export const projected: VolumePlugin = {
  field: 'projected',
  folder: 'kubernetes.io~projected',
  async setUp({ pod, volume, memoryDir }, deps) {
    const source = volume.projected!;
    const payload = await projectedFiles(pod, source, deps);
    const withToken = (source.sources ?? []).some((s) => s.serviceAccountToken !== undefined);
    await writePayload(deps.files, memoryDir, payload, ownershipOf(pod, withToken), deps.clock.now());
    return { path: memoryDir, readOnly: true };
  },
  tearDown: (_dir, memoryDir, { files }) => files.removeAll(memoryDir),
};
