// postStart and preStop: exec, httpGet, tcpSocket (deprecated, ignored as upstream does) and sleep.
import type { LifecycleHandler, Pod } from '#generated/api/core-v1.ts';
import { type Clock, sleep } from '#base/clock.ts';
import type { Runtime } from '../cri/runtime.ts';
import { httpProbe, resolvePort } from '../probes/probers.ts';
import type { AnyContainer } from './containers.ts';

export class HookError extends Error {
  readonly code = 'HookFailed';
}

/** Upstream's limit of an httpGet hook. */
const HTTP_TIMEOUT_MS = 30_000;

export interface HookDeps {
  readonly runtime: Runtime;
  readonly clock: Clock;
}

/** Throws HookError with upstream's words when the hook fails. */
export async function runHook(
  pod: Pod,
  container: AnyContainer,
  containerId: string,
  podIP: string,
  hook: LifecycleHandler,
  deps: HookDeps,
  signal?: AbortSignal,
): Promise<void> {
  if (hook.exec !== undefined) {
    const command = hook.exec.command ?? [];
    const result = await deps.runtime.execSync(containerId, command, 0);
    if (result.exitCode !== 0) {
      const out = Buffer.concat([result.stdout, result.stderr]).toString('utf8');
      throw new HookError(
        `Exec lifecycle hook (${formatWords(command)}) for Container ${JSON.stringify(container.name)} in Pod "${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})" failed - error: command '${command.join(' ')}' exited with ${result.exitCode}: ${out}, message: ${JSON.stringify(out)}`,
      );
    }
  } else if (hook.httpGet !== undefined) {
    const result = await httpProbe(hook.httpGet, podIP, resolvePort(container, hook.httpGet.port), HTTP_TIMEOUT_MS);
    if (!result.ok)
      throw new HookError(
        `HTTP lifecycle hook (${hook.httpGet.path ?? '/'}) for Container ${JSON.stringify(container.name)} failed - error: ${result.output}`,
      );
  } else if (hook.sleep !== undefined) {
    await sleep(deps.clock, hook.sleep.seconds * 1000, signal);
  }
}

const formatWords = (words: readonly string[]): string => `[${words.join(' ')}]`;
