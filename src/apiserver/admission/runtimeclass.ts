// RuntimeClass: a pod that names one gets its overhead and its scheduling rules.
import type { Pod } from '#generated/api/core-v1.ts';
import type { RuntimeClass } from '#generated/api/node-v1.ts';
import { find, type Lookup } from '../authentication/lookup.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin } from '../pipeline.ts';
import { admissionForbidden } from './forbidden.ts';

export interface RuntimeClassDeps {
  readonly runtimeClasses: Lookup<RuntimeClass>;
}

export class RuntimeClassPlugin implements AdmissionPlugin {
  readonly name = 'RuntimeClass';
  readonly #deps: RuntimeClassDeps;

  constructor(deps: RuntimeClassDeps) {
    this.#deps = deps;
  }

  handles(operation: AdmissionOperation, group: string, resource: string, subresource: string): boolean {
    return operation === 'CREATE' && group === '' && resource === 'pods' && subresource === '';
  }

  admit(a: AdmissionAttributes): Pod | Promise<Pod> {
    const pod = a.object as Pod;
    const name = pod.spec?.runtimeClassName;
    return name === undefined || name === '' ? pod : this.#withClass(a, pod, name);
  }

  async validate(a: AdmissionAttributes): Promise<void> {
    const pod = a.object as Pod;
    const name = pod.spec?.runtimeClassName;
    const named =
      name === undefined || name === '' ? undefined : await find(this.#deps.runtimeClasses, undefined, name);
    const fixed = named?.overhead?.podFixed;
    if (fixed === undefined && Object.keys(pod.spec?.overhead ?? {}).length > 0) {
      throw admissionForbidden(a, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead');
    }
  }

  async #withClass(a: AdmissionAttributes, pod: Pod, name: string): Promise<Pod> {
    const found = await find(this.#deps.runtimeClasses, undefined, name);
    if (found === undefined)
      throw admissionForbidden(a, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
    const spec = pod.spec!;
    const overhead = found.overhead?.podFixed;
    if (overhead !== undefined && spec.overhead !== undefined && !sameEntries(overhead, spec.overhead)) {
      throw admissionForbidden(a, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
    }
    const wanted = found.scheduling?.nodeSelector ?? {};
    const clash = Object.keys(wanted).find(
      (k) => spec.nodeSelector?.[k] !== undefined && spec.nodeSelector[k] !== wanted[k],
    );
    if (clash !== undefined) {
      throw admissionForbidden(
        a,
        `conflict: runtimeClass.scheduling.nodeSelector[${clash}] = ${wanted[clash]}; pod.spec.nodeSelector[${clash}] = ${spec.nodeSelector![clash]}`,
      );
    }
    const present = spec.tolerations ?? [];
    const tolerations = (found.scheduling?.tolerations ?? []).filter(
      (t) => !present.some((p) => JSON.stringify(p) === JSON.stringify(t)),
    );
    return {
      ...pod,
      spec: {
        ...spec,
        ...(overhead === undefined ? {} : { overhead }),
        ...(Object.keys(wanted).length === 0 ? {} : { nodeSelector: { ...spec.nodeSelector, ...wanted } }),
        ...(tolerations.length === 0 ? {} : { tolerations: [...present, ...tolerations] }),
      },
    };
  }
}

function sameEntries(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((k) => a[k] === b[k]);
}
