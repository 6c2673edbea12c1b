// Registry credentials from a pod's imagePullSecrets (kubernetes.io/dockerconfigjson and dockercfg).
import type { Pod, Secret } from '#generated/api/core-v1.ts';
import type { AuthConfig } from '../cri/messages.ts';

interface DockerEntry {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
}

export async function pullCredentials(
  pod: Pod,
  image: string,
  secret: (namespace: string, name: string) => Promise<Secret | undefined>,
): Promise<AuthConfig | undefined> {
  const registry = image.slice(0, image.indexOf('/'));
  for (const { name } of pod.spec?.imagePullSecrets ?? []) {
    const found = name === undefined ? undefined : await secret(pod.metadata.namespace!, name);
    const entries = found === undefined ? {} : dockerEntries(found);
    const key = Object.keys(entries).find(
      (k) => hostOf(k) === registry || (registry === 'docker.io' && hostOf(k) === 'index.docker.io'),
    );
    if (key === undefined) continue;
    const { username, password, auth } = entries[key]!;
    if (auth !== undefined && auth !== '') {
      const text = Buffer.from(auth, 'base64').toString('utf8');
      const colon = text.indexOf(':');
      return { username: text.slice(0, colon), password: text.slice(colon + 1) };
    }
    return { username: username ?? '', password: password ?? '' };
  }
  return undefined;
}

function dockerEntries(secret: Secret): Readonly<Record<string, DockerEntry>> {
  const config = secret.data?.['.dockerconfigjson'];
  const old = secret.data?.['.dockercfg'];
  try {
    if (config !== undefined)
      return (
        (JSON.parse(Buffer.from(config, 'base64').toString('utf8')) as { auths?: Record<string, DockerEntry> }).auths ??
        {}
      );
    if (old !== undefined)
      return JSON.parse(Buffer.from(old, 'base64').toString('utf8')) as Record<string, DockerEntry>;
  } catch {
    return {}; // not JSON: as if there were no credentials, which the registry then says
  }
  return {};
}

const hostOf = (key: string): string => key.replace(/^https?:\/\//, '').split('/')[0]!;
