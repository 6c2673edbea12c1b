// secret volumes: in memory only, on the node's one tmpfs.
import { writePayload } from './payload.ts';
import { ownershipOf, secretFiles, secretVolumeSource } from './sources.ts';
import type { VolumePlugin } from './volume.ts';

export const secret: VolumePlugin = {
  field: 'secret',
  folder: 'kubernetes.io~secret',
  async setUp({ pod, volume, memoryDir }, deps) {
    const payload = await secretFiles(pod, secretVolumeSource(volume.secret!), volume.secret!.defaultMode, deps);
    await writePayload(deps.files, memoryDir, payload, ownershipOf(pod, false), deps.clock.now());
    return { path: memoryDir, readOnly: true };
  },
  tearDown: (_dir, memoryDir, { files }) => files.removeAll(memoryDir),
};
