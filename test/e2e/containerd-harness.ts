// A private containerd in a network namespace of its own, for development and end-to-end tests of the kubelet: its own config,
// root, state and socket, the CNI plugins `ptp` and `host-local`, a busybox image and a sandbox image made by hand. Programs come
// from CORACLE_RUNTIME_DIR (a folder with unpacked packages: usr/bin, usr/sbin, usr/lib/cni, bin/busybox) or from PATH.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pack } from 'tar-stream';

export interface ContainerdHarness {
  readonly socket: string;
  readonly dir: string;
  readonly netns: string;
  readonly cgroupRoot: string;
  /** Kills containerd (containers go on). */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Ends everything this harness started and removes what it made. */
  close(): Promise<void>;
}

export function findRuntimeDir(): string | undefined {
  const named = process.env.CORACLE_RUNTIME_DIR;
  for (const dir of [named, join(import.meta.dirname, '../../.cache/devtools/root')]) {
    if (dir !== undefined && existsSync(join(dir, 'usr/bin/containerd'))) return dir;
  }
  return undefined;
}

/** Starts one; `prefix` names the namespace and the cgroup. */
export async function startContainerd(
  prefix: string,
  options: { readonly subnet?: string; readonly runtimeDir?: string } = {},
): Promise<ContainerdHarness> {
  const runtimeDir = options.runtimeDir ?? findRuntimeDir();
  if (runtimeDir === undefined) throw new Error('no containerd: set CORACLE_RUNTIME_DIR');
  const subnet = options.subnet ?? '10.244.77.0/24';
  const dir = mkdtempSync(join(tmpdir(), `${prefix}-`));
  const netns = `${prefix}-${process.pid}`;
  const cgroupRoot = `/${netns}`;
  const bin = join(runtimeDir, 'usr/bin');
  const runc = existsSync(join(runtimeDir, 'usr/sbin/runc')) ? join(runtimeDir, 'usr/sbin/runc') : join(bin, 'runc');
  mkdirSync(join(dir, 'cni'), { recursive: true });
  writeFileSync(
    join(dir, 'cni/10-pods.conflist'),
    JSON.stringify({
      cniVersion: '1.0.0',
      name: 'pods',
      plugins: [
        {
          type: 'ptp',
          ipMasq: false,
          ipam: {
            type: 'host-local',
            ranges: [[{ subnet }]],
            routes: [{ dst: '0.0.0.0/0' }],
            dataDir: join(dir, 'ipam'),
          },
        },
      ],
    }),
  );
  const socket = join(dir, 'containerd.sock');
  writeFileSync(
    join(dir, 'config.toml'),
    `
version = 2
root = "${dir}/root"
state = "${dir}/state"
oom_score = 0
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "coracle/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "${runc}"
        Root = "${dir}/runc"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${runtimeDir}/usr/lib/cni"
    conf_dir = "${dir}/cni"
`,
  );
  execFileSync('ip', ['netns', 'add', netns]);
  execFileSync('ip', ['-n', netns, 'link', 'set', 'lo', 'up']);
  execFileSync('nsenter', [`--net=/var/run/netns/${netns}`, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);

  let child: ChildProcess | undefined;
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
  const harness: ContainerdHarness = {
    socket,
    dir,
    netns,
    cgroupRoot,
    async start() {
      const log = openSync(join(dir, 'containerd.log'), 'a');
      child = spawn(
        'nsenter',
        [`--net=/var/run/netns/${netns}`, join(bin, 'containerd'), '--config', join(dir, 'config.toml')],
        { env, stdio: ['ignore', log, log] },
      );
      for (let i = 0; i < 200; i++) {
        if (existsSync(socket) && tryRun(join(bin, 'ctr'), ['--address', socket, 'version'])) return;
        if (child.exitCode !== null) break;
        await delay(50);
      }
      throw new Error(`containerd did not come up:\n${readFileSync(join(dir, 'containerd.log'), 'utf8').slice(-2000)}`);
    },
    async kill() {
      const running = child;
      if (running === undefined || running.exitCode !== null) return;
      await new Promise<void>((resolve) => {
        running.once('exit', () => resolve());
        running.kill('SIGKILL');
      });
    },
    async close() {
      for (const id of runList(join(bin, 'ctr'), ['--address', socket, '-n', 'k8s.io', 'tasks', 'list', '-q'])) {
        tryRun(join(bin, 'ctr'), ['--address', socket, '-n', 'k8s.io', 'tasks', 'rm', '-f', id]);
      }
      await harness.kill();
      killShims(socket);
      for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n').toReversed()) {
        const target = line.split(' ')[1];
        if (target?.startsWith(`${dir}/`)) tryRun('umount', ['-l', target]);
      }
      tryRun('ip', ['netns', 'del', netns]);
      removeCgroups(cgroupRoot);
      rmSync(dir, { recursive: true, force: true });
    },
  };
  try {
    await harness.start();
    const busybox = readFileSync(
      [join(runtimeDir, 'bin/busybox'), '/bin/busybox'].find(existsSync) ??
        join(findRuntimeDir() ?? '/', 'bin/busybox'),
    );
    const archive = join(dir, 'image.tar');
    writeFileSync(archive, await makeImage('docker.io/library/busybox:1.36', busybox, ['sh']));
    execFileSync(join(bin, 'ctr'), ['--address', socket, '-n', 'k8s.io', 'images', 'import', archive], {
      stdio: 'pipe',
    });
    writeFileSync(
      archive,
      await makeImage('docker.io/coracle/pause:1', busybox, ['/bin/busybox', 'sleep', '2147483647']),
    );
    execFileSync(join(bin, 'ctr'), ['--address', socket, '-n', 'k8s.io', 'images', 'import', archive], {
      stdio: 'pipe',
    });
    return harness;
  } catch (error) {
    await harness.close();
    throw error;
  }
}

/** A docker archive with busybox and links for its usual applets. */
async function makeImage(name: string, busybox: Buffer, cmd: readonly string[]): Promise<Buffer> {
  const layer = pack();
  for (const dir of ['bin', 'etc', 'tmp', 'root', 'dev', 'proc', 'sys', 'var'])
    layer.entry({ name: `${dir}/`, type: 'directory', mode: dir === 'tmp' ? 0o1777 : 0o755 });
  layer.entry({ name: 'bin/busybox', mode: 0o755 }, busybox);
  const applets =
    'sh ls cat echo sleep env id hostname ip ping nc wget httpd ps kill touch mkdir rm df mount stat head tail grep dd sync true false trap seq date chmod nslookup awk sed free yes tee'.split(
      ' ',
    );
  for (const applet of applets) layer.entry({ name: `bin/${applet}`, type: 'symlink', linkname: 'busybox' });
  layer.entry({ name: 'etc/passwd' }, 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/:/bin/sh\n');
  layer.entry({ name: 'etc/group' }, 'root:x:0:\napp:x:1000:\n');
  layer.finalize();
  const layerTar = await collect(layer as unknown as AsyncIterable<Buffer>);
  const digest = createHash('sha256').update(layerTar).digest('hex');
  const config = JSON.stringify({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    created: '2026-01-01T00:00:00Z',
    config: { Cmd: cmd, Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
  });
  const image = pack();
  image.entry({ name: `${digest}/layer.tar` }, layerTar);
  image.entry({ name: 'config.json' }, config);
  image.entry(
    { name: 'manifest.json' },
    JSON.stringify([{ Config: 'config.json', RepoTags: [name], Layers: [`${digest}/layer.tar`] }]),
  );
  image.finalize();
  return collect(image as unknown as AsyncIterable<Buffer>);
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function tryRun(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}

function runList(program: string, args: readonly string[]): string[] {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: 'pipe' })
      .split('\n')
      .filter((l) => l !== '');
  } catch {
    return [];
  }
}

/** Shims outlive containerd; they carry its socket in their arguments. */
function killShims(socket: string): void {
  for (const pid of runList('ls', ['/proc']).filter((n) => /^\d+$/.test(n))) {
    let cmdline = '';
    try {
      cmdline = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    } catch {
      continue; // gone since the listing
    }
    if (cmdline.includes('containerd-shim') && cmdline.split('\0').includes(socket))
      process.kill(Number(pid), 'SIGKILL');
  }
}

function removeCgroups(cgroupRoot: string): void {
  for (const controller of runList('ls', ['/sys/fs/cgroup'])) {
    const base = `/sys/fs/cgroup/${controller}${cgroupRoot}`;
    if (existsSync(base)) tryRun('find', [base, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';']);
  }
}
