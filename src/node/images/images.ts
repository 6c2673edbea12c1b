// Getting a container's image onto the node: the pull policy, one pull at a time for each image, and back-off after failures.
import type { Pod } from '#generated/api/core-v1.ts';
import { pods as podsRef } from '#generated/resources.ts';
import { backoffMs } from '#base/backoff.ts';
import type { Clock } from '#base/clock.ts';
import type { EventRecorder } from '#client/client.ts';
import type { AuthConfig, Image, PodSandboxConfig } from '../cri/messages.ts';
import type { Runtime } from '../cri/runtime.ts';
import type { AnyContainer } from '../pods/containers.ts';
import { formatDuration } from '#machinery/time.ts';

/** Why a container waits for its image. `retryAfterMs` says when asking again makes sense. */
export class ImageError extends Error {
  readonly code: 'ErrImagePull' | 'ImagePullBackOff' | 'ErrImageNeverPull' | 'InvalidImageName';
  readonly retryAfterMs: number;

  constructor(code: ImageError['code'], message: string, retryAfterMs: number, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Upstream's image pull back-off. */
const BACKOFF = { baseMs: 10_000, maxMs: 300_000 };

export interface ImagesDeps {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly events: EventRecorder;
  /** Credentials of the pod's imagePullSecrets for this image. */
  credentials(pod: Pod, image: string): Promise<AuthConfig | undefined>;
}

export class Images {
  readonly #deps: ImagesDeps;
  /** Image → the pull under way. */
  readonly #pulls = new Map<string, Promise<Image>>();
  /** Image → failures in a row, and when the next pull may begin. */
  readonly #failures = new Map<string, { readonly count: number; readonly nextMs: number; readonly message: string }>();
  /** Image → when a container last asked for it: for garbage collection. */
  readonly lastUsedMs = new Map<string, number>();

  constructor(deps: ImagesDeps) {
    this.#deps = deps;
  }

  /** The image on the node, pulled when policy wants it. Throws ImageError. */
  async ensure(pod: Pod, container: AnyContainer, sandbox: PodSandboxConfig): Promise<Image> {
    const { events, runtime, clock } = this.#deps;
    const name = normalizeImage(container.image ?? '');
    if (name === undefined)
      throw new ImageError(
        'InvalidImageName',
        `Failed to apply default image tag ${JSON.stringify(container.image)}: couldn't parse image name: invalid reference format`,
        BACKOFF.maxMs,
      );
    const policy = container.imagePullPolicy ?? defaultPullPolicy(name);
    this.lastUsedMs.set(name, clock.now());
    if (policy !== 'Always') {
      const present = await runtime.imageStatus(name);
      if (present !== undefined) {
        events.event(
          pod,
          podsRef,
          'Normal',
          'Pulled',
          `Container image ${JSON.stringify(container.image)} already present on machine`,
        );
        return present;
      }
      if (policy === 'Never') {
        events.event(
          pod,
          podsRef,
          'Warning',
          'ErrImageNeverPull',
          `Container image ${JSON.stringify(container.image)} is not present with pull policy of Never`,
        );
        throw new ImageError(
          'ErrImageNeverPull',
          `Container image ${JSON.stringify(container.image)} is not present with pull policy of Never${hint}`,
          BACKOFF.baseMs,
        );
      }
    }
    return this.#pull(pod, container, name, sandbox);
  }

  async #pull(pod: Pod, container: AnyContainer, name: string, sandbox: PodSandboxConfig): Promise<Image> {
    const { events, clock } = this.#deps;
    const failure = this.#failures.get(name);
    if (failure !== undefined && failure.nextMs > clock.now()) {
      events.event(pod, podsRef, 'Normal', 'BackOff', `Back-off pulling image ${JSON.stringify(container.image)}`);
      throw new ImageError(
        'ImagePullBackOff',
        `Back-off pulling image ${JSON.stringify(container.image)}: ErrImagePull: ${failure.message}`,
        failure.nextMs - clock.now(),
      );
    }
    let pull = this.#pulls.get(name);
    if (pull === undefined) {
      events.event(pod, podsRef, 'Normal', 'Pulling', `Pulling image ${JSON.stringify(container.image)}`);
      pull = this.#fetch(pod, name, sandbox).finally(() => this.#pulls.delete(name));
      this.#pulls.set(name, pull);
    }
    const startMs = clock.monotonic();
    try {
      const image = await pull;
      this.#failures.delete(name);
      const took = formatDuration(Math.round(clock.monotonic() - startMs));
      events.event(
        pod,
        podsRef,
        'Normal',
        'Pulled',
        `Successfully pulled image ${JSON.stringify(container.image)} in ${took} (${took} including waiting). Image size: ${image.size} bytes.`,
      );
      return image;
    } catch (cause) {
      const message = `failed to pull image ${JSON.stringify(container.image)}: ${cause instanceof Error ? cause.message : String(cause)}${hint}`;
      const before = this.#failures.get(name);
      if (before === undefined || before.nextMs <= clock.now()) {
        const count = (before?.count ?? 0) + 1;
        this.#failures.set(name, { count, nextMs: clock.now() + backoffMs(count, BACKOFF), message });
      }
      events.event(
        pod,
        podsRef,
        'Warning',
        'Failed',
        `Failed to pull image ${JSON.stringify(container.image)}: ${message}`,
      );
      events.event(pod, podsRef, 'Warning', 'Failed', 'Error: ErrImagePull');
      throw new ImageError('ErrImagePull', message, this.#failures.get(name)!.nextMs - clock.now(), { cause });
    }
  }

  async #fetch(pod: Pod, name: string, sandbox: PodSandboxConfig): Promise<Image> {
    const { runtime } = this.#deps;
    const auth = await this.#deps.credentials(pod, name);
    const ref = await runtime.pullImage(name, auth, sandbox);
    const image = (await runtime.imageStatus(ref)) ?? (await runtime.imageStatus(name));
    if (image === undefined) throw new Error(`image ${name} is not there after its pull`);
    return image;
  }
}

const hint = '; without a registry, load it with: coracle image load FILE';

const REFERENCE =
  /^(?:[a-zA-Z0-9.-]+(?::\d+)?\/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::[\w][\w.-]{0,127})?(?:@[a-z0-9]+:[a-f0-9]{32,})?$/;

/** `nginx` → `docker.io/library/nginx:latest`; undefined when it is no image name. */
export function normalizeImage(name: string): string | undefined {
  if (!REFERENCE.test(name)) return undefined;
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const hasHost = first.includes('.') || first.includes(':') || first === 'localhost';
  const full = hasHost ? name : slash < 0 ? `docker.io/library/${name}` : `docker.io/${name}`;
  const tail = full.slice(full.lastIndexOf('/') + 1);
  return tail.includes(':') || tail.includes('@') ? full : `${full}:latest`;
}

const defaultPullPolicy = (name: string): string => (name.endsWith(':latest') ? 'Always' : 'IfNotPresent');
