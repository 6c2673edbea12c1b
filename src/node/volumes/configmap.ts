// configMap volumes.
import { writePayload } from './payload.ts';
import { configMapFiles, ownershipOf } from './sources.ts';
import type { VolumePlugin } from './volume.ts';

export const configMap: VolumePlugin = {
  field: 'configMap',
  folder: 'kubernetes.io~configmap',
  async setUp({ pod, volume, dir }, deps) {
    const payload = await configMapFiles(pod, volume.configMap!, volume.configMap!.defaultMode, deps);
    await writePayload(deps.files, dir, payload, ownershipOf(pod, false), deps.clock.now());
    return { path: dir, readOnly: true };
  },
  tearDown: (dir, _memoryDir, { files }) => files.removeAll(dir),
};
