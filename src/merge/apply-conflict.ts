// The 409 of an apply: who owns what it would change.
import { StatusError } from '#machinery/status.ts';
import type { StatusDetails } from '#generated/api/meta-v1.ts';
import { FieldSetBuilder, type FieldSet } from './field-set.ts';
import { formatPath } from './field-paths.ts';
import type { Manager } from './managed-fields.ts';

export interface ApplyConflict {
  readonly manager: Manager;
  readonly path: readonly string[];
}

/** In order of managers as upstream identifies them, then of paths. */
export class ApplyConflicts extends Error {
  override readonly name = 'ApplyConflicts';
  readonly conflicts: readonly ApplyConflict[];

  constructor(conflicts: readonly ApplyConflict[]) {
    super('apply conflicts');
    this.conflicts = conflicts;
  }

  get paths(): FieldSet {
    const out = new FieldSetBuilder();
    for (const { path } of this.conflicts) out.insert(path);
    return out.build();
  }

  /** `shownVersion`: instead of the managers' own, for subresources of another group. */
  toStatusError(shownVersion?: string): StatusError {
    const show = (m: Manager) => formatManager(m, shownVersion);
    const causes = this.conflicts.map(({ manager, path }) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${show(manager)}`,
      field: formatPath(path),
    }));
    return new StatusError(409, 'Conflict', this.#message(show), { causes } as StatusDetails);
  }

  #message(show: (m: Manager) => string): string {
    const [first] = this.conflicts;
    if (this.conflicts.length === 1)
      return `Apply failed with 1 conflict: conflict with ${show(first!.manager)}: ${formatPath(first!.path)}`;
    const lines: string[] = [];
    let last: Manager | undefined;
    for (const { manager, path } of this.conflicts) {
      if (manager !== last) lines.push(`conflicts with ${show(manager)}:`);
      last = manager;
      lines.push(`- ${formatPath(path)}`);
    }
    return `Apply failed with ${this.conflicts.length} conflicts: ${lines.join('\n')}`;
  }
}

function formatManager(m: Manager, shownVersion: string | undefined): string {
  const subresource = m.subresource === '' ? '' : ` with subresource ${JSON.stringify(m.subresource)}`;
  const version = m.operation === 'Update' ? ` using ${shownVersion ?? m.apiVersion}` : '';
  return `${JSON.stringify(m.manager)}${subresource}${version}`;
}

/** What tells managers apart: appliers are the same whatever version they apply. */
export function managerKey({ manager, operation, apiVersion, subresource }: Manager): string {
  return JSON.stringify({
    manager,
    operation,
    ...(operation === 'Update' ? { apiVersion } : {}),
    ...(subresource === '' ? {} : { subresource }),
  });
}
