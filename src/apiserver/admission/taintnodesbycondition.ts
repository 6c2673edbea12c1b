// TaintNodesByCondition: a new node takes no pods until the node lifecycle controller has seen it ready.
import type { Node } from '#generated/api/core-v1.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin } from '../pipeline.ts';

const NOT_READY = 'node.kubernetes.io/not-ready';

export class TaintNodesByCondition implements AdmissionPlugin {
  readonly name = 'TaintNodesByCondition';

  handles(operation: AdmissionOperation, group: string, resource: string, subresource: string): boolean {
    return operation === 'CREATE' && group === '' && resource === 'nodes' && subresource === '';
  }

  admit(a: AdmissionAttributes): Node {
    const node = a.object as Node;
    const taints = node.spec?.taints ?? [];
    if (taints.some((t) => t.key === NOT_READY && t.effect === 'NoSchedule')) return node;
    return { ...node, spec: { ...node.spec, taints: [...taints, { key: NOT_READY, effect: 'NoSchedule' }] } };
  }
}
