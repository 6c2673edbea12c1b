// The original, as test/reference/ starts it: kube-apiserver and etcd alone.
import { startReference as startOriginal } from '#test/reference/control-plane.ts';
import type { DiffServer } from './server.ts';

export async function startReference(log: (line: string) => void): Promise<DiffServer> {
  const original = await startOriginal({ log, etcdArgs: ['--unsafe-no-fsync'] });
  return {
    name: 'reference',
    url: original.url,
    ca: original.ca,
    token: original.token,
    stop: () => original.stop(),
  };
}
