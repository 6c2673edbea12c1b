// DefaultTolerationSeconds: a pod stays five minutes on a node that is not ready or not reachable, unless it says itself
// how long.
import type { Pod, Toleration } from '#generated/api/core-v1.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin } from '../pipeline.ts';

/** Upstream's defaults for both. */
const SECONDS = 300;
const KEYS = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];

export class DefaultTolerationSeconds implements AdmissionPlugin {
  readonly name = 'DefaultTolerationSeconds';

  handles(operation: AdmissionOperation, group: string, resource: string, subresource: string): boolean {
    return (
      (operation === 'CREATE' || operation === 'UPDATE') && group === '' && resource === 'pods' && subresource === ''
    );
  }

  admit(a: AdmissionAttributes): Pod {
    const pod = a.object as Pod;
    const present = pod.spec?.tolerations ?? [];
    const missing = KEYS.filter((key) => !present.some((t) => decides(t, key)));
    if (missing.length === 0) return pod;
    const added = missing.map(
      (key): Toleration => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: SECONDS }),
    );
    return { ...pod, spec: { ...pod.spec!, tolerations: [...present, ...added] } };
  }
}

/** Whether the pod has its own word on that taint. */
function decides({ key = '', effect = '' }: Toleration, taint: string): boolean {
  return (key === taint || key === '') && (effect === 'NoExecute' || effect === '');
}
