// Namespace.
import type { Namespace } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, keepStatus } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

/** Every namespace carries its own name as a label, so selectors can pick it. */
const NAME_LABEL = 'kubernetes.io/metadata.name';
const FINALIZER = 'kubernetes';

export const namespace: ResourceDefinition<Namespace> = defineKind<Namespace>({
  resource: 'namespaces',
  shortNames: ['ns'],
  selectableFields: { 'status.phase': (ns) => ns.status?.phase ?? '' },
  table: {
    columns: [NAME, column('Status'), AGE],
    cells: (ns, nowMs) => [nameOf(ns), ns.status?.phase ?? '', ageOf(ns, nowMs)],
  },
  strategy: {
    generation: false,
    nameRule: 'label',
    default: (ns) => {
      const name = ns.metadata.name;
      if (name === undefined || name === '' || ns.metadata.labels?.[NAME_LABEL] === name) return ns;
      return { ...ns, metadata: { ...ns.metadata, labels: { ...ns.metadata.labels, [NAME_LABEL]: name } } };
    },
    prepareForCreate: (ns) => ({
      ...ns,
      metadata: { ...ns.metadata, labels: { ...ns.metadata.labels, [NAME_LABEL]: ns.metadata.name ?? '' } },
      // The namespace controller takes it away once everything inside is gone.
      spec: { ...ns.spec, finalizers: [...new Set([...(ns.spec?.finalizers ?? []), FINALIZER])] },
      status: { phase: 'Active' },
    }),
    prepareForUpdate: (ns, old) => ({ ...keepStatus(ns, old), spec: { ...ns.spec, finalizers: old.spec?.finalizers } }),
  },
});
