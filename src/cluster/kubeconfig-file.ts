// Kubeconfig files: the cluster's own (always there, 0600), and the entry in the user's, which never overwrites a
// foreign one and gives the previous context back when the cluster is deleted.
import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { dump, load } from 'js-yaml';
import { writeFileAtomic } from '#host/files.ts';
import type { Kubeconfig } from '#pki/kubeconfig.ts';
import { UserError } from './errors.ts';

interface Named {
  readonly name: string;
}
type KubeconfigFile = {
  clusters?: (Named & { cluster?: Record<string, unknown> })[] | null;
  users?: (Named & { user?: Record<string, unknown> })[] | null;
  contexts?: (Named & { context?: Record<string, unknown> })[] | null;
  'current-context'?: string;
  [key: string]: unknown;
};

/** Marks entries of ours, so that they are told from foreign ones of the same name. */
const EXTENSION = 'coracle.dev';

export const contextName = (cluster: string): string => `coracle-${cluster}`;

export function writeKubeconfig(path: string, kubeconfig: Kubeconfig): void {
  writeFileAtomic(path, dump(kubeconfig, { lineWidth: -1, noRefs: true }), 0o600);
}

/** The file kubectl would write to: the first of $KUBECONFIG, else ~/.kube/config. */
export function userKubeconfigPath(env: Readonly<Record<string, string | undefined>>): string {
  const first = env['KUBECONFIG']?.split(':').find((p) => p !== '');
  return first ?? join(homedir(), '.kube', 'config');
}

/** Who adds or removes an entry holds this lock: several clusters share the user's file. */
export const kubeconfigLock = (path: string): string => `kubeconfig ${path}`;

/** Adds or renews our entry. `previous` is the context that was current, to be kept for removeEntry. */
export function addEntry(path: string, kubeconfig: Kubeconfig, dataDir: string): { previous: string | undefined } {
  const file = readFile(path);
  const context = kubeconfig['current-context'];
  for (const list of ['clusters', 'users', 'contexts'] as const) {
    const foreign = (file[list] ?? []).some((entry) => entry.name === context && !isOurs(file, context, dataDir));
    if (foreign)
      throw new UserError(
        `${path} already has an entry ${context} that is not this cluster's; it was left alone. Use --name, or KUBECONFIG=${join(dataDir, 'kubeconfig')}`,
      );
  }
  const next: KubeconfigFile = {
    ...file,
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      ...(file.clusters ?? []).filter((e) => e.name !== context),
      ...kubeconfig.clusters.map((e) => ({
        name: e.name,
        cluster: { ...e.cluster, extensions: [{ name: EXTENSION, extension: { dataDir } }] },
      })),
    ],
    users: [...(file.users ?? []).filter((e) => e.name !== context), ...kubeconfig.users],
    contexts: [...(file.contexts ?? []).filter((e) => e.name !== context), ...kubeconfig.contexts],
    'current-context': context,
  } as KubeconfigFile;
  save(path, file, next);
  const previous = file['current-context'];
  return { previous: previous === context || previous === '' ? undefined : previous };
}

/** Takes our entry out again; the context from before becomes current if ours still was and that one still exists. */
export function removeEntry(path: string, context: string, dataDir: string, previous: string | undefined): void {
  if (!existsSync(path)) return;
  const file = readFile(path);
  if (!isOurs(file, context, dataDir)) return;
  const next: KubeconfigFile = {
    ...file,
    clusters: (file.clusters ?? []).filter((e) => e.name !== context),
    users: (file.users ?? []).filter((e) => e.name !== context),
    contexts: (file.contexts ?? []).filter((e) => e.name !== context),
  };
  if (file['current-context'] === context) {
    const back = previous !== undefined && (next.contexts ?? []).some((e) => e.name === previous) ? previous : '';
    next['current-context'] = back;
  }
  save(path, file, next);
}

function isOurs(file: KubeconfigFile, context: string, dataDir: string): boolean {
  const cluster = (file.clusters ?? []).find((e) => e.name === context)?.cluster;
  const extensions = cluster?.['extensions'];
  if (!Array.isArray(extensions)) return false;
  return extensions.some(
    (e: { name?: string; extension?: { dataDir?: string } }) =>
      e.name === EXTENSION && e.extension?.dataDir === dataDir,
  );
}

function readFile(path: string): KubeconfigFile {
  if (!existsSync(path)) return {};
  let value: unknown;
  try {
    value = load(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new UserError(`${path} is not valid YAML; it was left alone. Mend it, or set KUBECONFIG to another file`, {
      cause,
    });
  }
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw new UserError(`${path} is not a kubeconfig; it was left alone`);
  return value as KubeconfigFile;
}

function save(path: string, before: KubeconfigFile, next: KubeconfigFile): void {
  if (JSON.stringify(before) === JSON.stringify(next)) return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const target = existsSync(path) ? realpathSync(path) : path;
  writeFileAtomic(target, dump(next, { lineWidth: -1, noRefs: true }), 0o600);
}
