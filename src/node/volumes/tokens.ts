// Service account tokens for pods, by TokenRequest: kept until a share of their life is over, then renewed.
import type { TokenRequest } from '#generated/api/authentication-v1.ts';
import type { Pod, ServiceAccount } from '#generated/api/core-v1.ts';
import type { Clock } from '#base/clock.ts';
import type { Client } from '#client/client.ts';
import type { ResourceRef } from '#machinery/object.ts';
import { parseTime } from '#machinery/time.ts';

/** Upstream renews after 80 % of the life, and in any case after a day. */
const RENEW_SHARE = 0.8;
const RENEW_MAX_MS = 24 * 3600 * 1000;

export class Tokens {
  readonly #deps: {
    readonly client: Client;
    readonly clock: Clock;
    readonly serviceAccounts: ResourceRef<ServiceAccount>;
  };
  /** Pod uid → audience and life → token. */
  readonly #tokens = new Map<string, Map<string, { readonly token: string; readonly renewAtMs: number }>>();

  constructor(deps: {
    readonly client: Client;
    readonly clock: Clock;
    readonly serviceAccounts: ResourceRef<ServiceAccount>;
  }) {
    this.#deps = deps;
  }

  async get(pod: Pod, audience: string | undefined, expirationSeconds: number): Promise<string> {
    const { client, clock, serviceAccounts } = this.#deps;
    const { uid, name, namespace } = pod.metadata;
    const key = `${audience ?? ''}/${expirationSeconds}`;
    const known = this.#tokens.get(uid!)?.get(key);
    if (known !== undefined && clock.now() < known.renewAtMs) return known.token;
    const account = pod.spec?.serviceAccountName ?? 'default';
    const request = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec: {
        audiences: audience === undefined || audience === '' ? [] : [audience],
        expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    };
    try {
      const answer = await client
        .resource(serviceAccounts)
        .createSubresource<TokenRequest>(namespace, account, 'token', request);
      const nowMs = clock.now();
      const endMs = parseTime(answer.status?.expirationTimestamp ?? '') ?? nowMs + expirationSeconds * 1000;
      const perPod = this.#tokens.get(uid!) ?? new Map();
      this.#tokens.set(uid!, perPod);
      perPod.set(key, {
        token: answer.status?.token ?? '',
        renewAtMs: nowMs + Math.min(RENEW_MAX_MS, (endMs - nowMs) * RENEW_SHARE),
      });
      return answer.status?.token ?? '';
    } catch (error) {
      if (known !== undefined) return known.token; // still good for a while
      throw error;
    }
  }

  forget(podUid: string): void {
    this.#tokens.delete(podUid);
  }
}
