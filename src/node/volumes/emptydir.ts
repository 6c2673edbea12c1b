// emptyDir: a folder on the node's disk, or a tmpfs of its own with the size limit as its size.
import { quantityToNumber } from '#machinery/quantity.ts';
import { VolumeError, type VolumePlugin } from './volume.ts';

export const emptyDir: VolumePlugin = {
  field: 'emptyDir',
  folder: 'kubernetes.io~empty-dir',

  async setUp({ pod, volume, dir }, { files, mounts, facts }) {
    const { medium = '', sizeLimit } = volume.emptyDir!;
    if (medium !== '' && medium !== 'Memory')
      throw new VolumeError(`emptyDir medium ${JSON.stringify(medium)} is not supported: use "" or "Memory"`);
    if (medium === 'Memory' && !mounts.list().some((m) => m.target === dir)) {
      files.mkdir(dir, 0o777);
      const limit = quantityToNumber(sizeLimit);
      // Upstream sizes it by the limit, and by the node's allocatable memory without one.
      await mounts.tmpfs(dir, { sizeBytes: limit > 0 ? limit : facts().allocatableMemoryBytes });
      files.chmod(dir, 0o777);
    } else if (files.stat(dir) === undefined) {
      files.mkdir(dir, 0o777);
    }
    const group = pod.spec?.securityContext?.fsGroup;
    if (group !== undefined && files.stat(dir)?.gid !== group) {
      files.chown(dir, 0, group);
      files.chmod(dir, 0o2777);
    }
    return { path: dir, readOnly: false };
  },

  async tearDown(dir, _memoryDir, { files, mounts }) {
    await mounts.unmount(dir);
    await files.removeAll(dir);
  },
};
