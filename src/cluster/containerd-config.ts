// The configuration file of a node's private containerd (version 2 format, read by 1.6 to 2.x).

export interface ContainerdOptions {
  /** Images and snapshots; its state is on the node's own /run. */
  readonly root: string;
  readonly cniBinDirs: readonly string[];
  readonly cniConfDir: string;
  /** Set where CAP_SYS_RESOURCE is missing: every sandbox would fail otherwise. */
  readonly restrictOomScore: boolean;
  /** Folders with `HOST/hosts.toml` (mirrors, authorities); the first that knows a host counts. */
  readonly registryConfigDirs: readonly string[];
}

/** Name under which the sandbox image is imported on every node. */
export const SANDBOX_IMAGE = 'coracle.local/pause:1';

const quote = (text: string): string => JSON.stringify(text);

export function containerdConfig(options: ContainerdOptions): string {
  return `version = 2
root = ${quote(options.root)}
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
  address = "/run/containerd/containerd.sock"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${quote(SANDBOX_IMAGE)}
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  restrict_oom_score_adj = ${options.restrictOomScore}
  disable_apparmor = true
  max_container_log_line_size = 16384

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"
  discard_unpacked_layers = false

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = ${quote(options.cniBinDirs[0] ?? '/opt/cni/bin')}
  conf_dir = ${quote(options.cniConfDir)}

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = ${quote(options.registryConfigDirs.join(':'))}
`;
}
