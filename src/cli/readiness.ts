// How commands name a node's state.
import type { Node } from '#generated/api/core-v1.ts';
import { isNodeReady } from '#kinds/core/node.ts';

/** `Unknown` where the API did not tell, or does not know the node yet. */
export function readinessOf(node: Node | undefined): 'Ready' | 'NotReady' | 'Unknown' {
  if (node === undefined) return 'Unknown';
  return isNodeReady(node) ? 'Ready' : 'NotReady';
}
