// A bound volume that is labelled with a zone or region is used there.
import { makeKey } from '#machinery/object.ts';
import { type Plugin, rejectForGood } from '../framework.ts';
import type { Lister } from '../lister.ts';

const KEYS = [
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
];
const REJECTION = rejectForGood('node(s) had no available volume zone');

interface Place {
  readonly key: string;
  /** Several are joined by `__` in the label. */
  readonly values: readonly string[];
}

export function createVolumeZone(lister: Pick<Lister, 'claim' | 'volume'>): Plugin<readonly Place[]> {
  return {
    name: 'VolumeZone',
    interests: [
      { resource: 'Node', actions: ['Add', 'Update'] },
      { resource: 'PersistentVolumeClaim', actions: ['Add', 'Update'] },
      { resource: 'PersistentVolume', actions: ['Add', 'Update'] },
    ],
    preFilter: (pod) => {
      const places: Place[] = [];
      for (const { name } of pod.claims) {
        const volume = lister.volume(lister.claim(makeKey(pod.pod.metadata.namespace, name))?.spec?.volumeName ?? '');
        const labels = volume?.metadata.labels ?? {};
        for (const key of KEYS) if (labels[key] !== undefined) places.push({ key, values: labels[key].split('__') });
      }
      return places.length === 0 ? { skip: true } : { state: places };
    },
    filter: (places, _pod, { node }) => {
      const labels = node.metadata.labels ?? {};
      // Nodes without any zone label are in clusters without zones: everything goes.
      if (!KEYS.some((key) => labels[key] !== undefined)) return undefined;
      return places.every(({ key, values }) => values.includes(labels[key] ?? '')) ? undefined : REJECTION;
    },
  };
}
