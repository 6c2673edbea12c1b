// Builders for the tests of admission plugins.
import type { KubeObject } from '#machinery/object.ts';
import type { UserInfo } from '#machinery/exchange.ts';
import type { AdmissionAttributes, AdmissionOperation } from '../pipeline.ts';

export interface AttributesOptions {
  readonly operation?: AdmissionOperation;
  readonly group?: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly object?: KubeObject | undefined;
  readonly oldObject?: KubeObject | undefined;
  readonly user?: UserInfo;
}

export function makeAttributes(options: AttributesOptions): AdmissionAttributes {
  const { operation = 'CREATE', object, oldObject } = options;
  return {
    user: options.user ?? { name: 'tester', groups: [] },
    operation,
    verb: operation.toLowerCase(),
    group: options.group ?? '',
    version: 'v1',
    resource: options.resource,
    subresource: options.subresource ?? '',
    kind: '',
    namespace: options.namespace ?? object?.metadata?.namespace ?? oldObject?.metadata.namespace ?? '',
    name: options.name ?? object?.metadata?.name ?? oldObject?.metadata.name ?? '',
    object,
    oldObject,
    options: {},
    dryRun: false,
    definition: undefined,
    warn: () => {},
    annotate: () => {},
  };
}
