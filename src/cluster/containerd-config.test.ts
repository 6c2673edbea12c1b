import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { containerdConfig, SANDBOX_IMAGE } from './containerd-config.ts';

const options = {
  root: '/data/node "1"',
  cniBinDirs: ['/a/cni', '/b/cni'],
  cniConfDir: '/data/cni',
  restrictOomScore: true,
  registryConfigDirs: ['/data/registries', '/etc/containerd/certs.d'],
};

describe('containerdConfig', () => {
  it('quotes paths, names the sandbox image and the first folder of plugins', () => {
    const text = containerdConfig(options);
    assert.match(text, /^root = "\/data\/node \\"1\\""$/m);
    assert.match(text, new RegExp(`sandbox_image = "${SANDBOX_IMAGE}"`));
    assert.match(text, /bin_dir = "\/a\/cni"/);
    assert.match(text, /restrict_oom_score_adj = true/);
  });

  it('hands mirror settings of the cluster and of the machine to containerd', () => {
    assert.match(containerdConfig(options), /config_path = "\/data\/registries:\/etc\/containerd\/certs.d"/);
  });
});
