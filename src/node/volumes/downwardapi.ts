// downwardAPI volumes: the pod's own fields as files, in memory.
import { writePayload } from './payload.ts';
import { downwardFiles, ownershipOf } from './sources.ts';
import type { VolumePlugin } from './volume.ts';

export const downwardAPI: VolumePlugin = {
  field: 'downwardAPI',
  folder: 'kubernetes.io~downward-api',
  async setUp({ pod, volume, memoryDir }, deps) {
    const source = volume.downwardAPI!;
    const payload = downwardFiles(pod, source.items ?? [], source.defaultMode, deps);
    await writePayload(deps.files, memoryDir, payload, ownershipOf(pod, false), deps.clock.now());
    return { path: memoryDir, readOnly: true };
  },
  tearDown: (_dir, memoryDir, { files }) => files.removeAll(memoryDir),
};
