// Priority: a pod's priority is a number computed from its PriorityClass, never written by its maker; there is at most
// one default class.
import type { Pod } from '#generated/api/core-v1.ts';
import type { PriorityClass } from '#generated/api/scheduling-v1.ts';
import { find, type Lookup } from '../authentication/lookup.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin } from '../pipeline.ts';
import { admissionForbidden } from './forbidden.ts';
import type { KubeObject } from '#machinery/object.ts';

export interface PriorityDeps {
  readonly priorityClasses: Lookup<PriorityClass> & { list(): readonly PriorityClass[] };
}

const DEFAULT_PREEMPTION = 'PreemptLowerPriority';

export class Priority implements AdmissionPlugin {
  readonly name = 'Priority';
  readonly #deps: PriorityDeps;

  constructor(deps: PriorityDeps) {
    this.#deps = deps;
  }

  handles(operation: AdmissionOperation, group: string, resource: string, subresource: string): boolean {
    if ((operation !== 'CREATE' && operation !== 'UPDATE') || subresource !== '') return false;
    return (group === '' && resource === 'pods') || (group === 'scheduling.k8s.io' && resource === 'priorityclasses');
  }

  admit(a: AdmissionAttributes): KubeObject | Promise<KubeObject> {
    if (a.resource !== 'pods') return a.object!;
    const pod = a.object as Pod;
    if (a.operation === 'UPDATE') return keepPriority(pod, a.oldObject as Pod | undefined);
    const { priorityClassName = '' } = pod.spec ?? {};
    if (priorityClassName === '') return this.#withClass(a, pod, this.#defaultClass());
    const cached = this.#deps.priorityClasses.cached(undefined, priorityClassName);
    return cached === undefined ? this.#named(a, pod, priorityClassName) : this.#withClass(a, pod, cached);
  }

  validate(a: AdmissionAttributes): void {
    if (a.resource !== 'priorityclasses') return;
    const made = a.object as PriorityClass;
    if (made.globalDefault !== true) return;
    const other = this.#deps.priorityClasses
      .list()
      .find((c) => c.globalDefault === true && c.metadata.name !== made.metadata.name);
    if (other !== undefined) {
      throw admissionForbidden(
        a,
        `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`,
      );
    }
  }

  async #named(a: AdmissionAttributes, pod: Pod, name: string): Promise<Pod> {
    const found = await find(this.#deps.priorityClasses, undefined, name);
    if (found === undefined) throw admissionForbidden(a, `no PriorityClass with name ${name} was found`);
    return this.#withClass(a, pod, found);
  }

  /** Several defaults can be left over from a race: the lowest value counts, as upstream. */
  #defaultClass(): PriorityClass | undefined {
    const marked = this.#deps.priorityClasses.list().filter((c) => c.globalDefault === true);
    return marked.toSorted((x, y) => (x.value ?? 0) - (y.value ?? 0))[0];
  }

  #withClass(a: AdmissionAttributes, pod: Pod, chosen: PriorityClass | undefined): Pod {
    const spec = pod.spec!;
    const priority = chosen?.value ?? 0;
    if (spec.priority !== undefined && spec.priority !== priority) {
      throw admissionForbidden(
        a,
        `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${priority} from the given PriorityClass name`,
      );
    }
    const preemptionPolicy = chosen?.preemptionPolicy ?? DEFAULT_PREEMPTION;
    if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== preemptionPolicy) {
      throw admissionForbidden(
        a,
        `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${preemptionPolicy} from the given PriorityClass name`,
      );
    }
    return {
      ...pod,
      spec: {
        ...spec,
        ...(chosen === undefined ? {} : { priorityClassName: chosen.metadata.name! }),
        priority,
        preemptionPolicy,
      },
    };
  }
}

/** Updates from clients that do not know the fields keep what was computed. */
function keepPriority(pod: Pod, old: Pod | undefined): Pod {
  const { priority, preemptionPolicy } = old?.spec ?? {};
  const keepPriorityValue = pod.spec?.priority === undefined && priority !== undefined;
  const keepPolicy = pod.spec?.preemptionPolicy === undefined && preemptionPolicy !== undefined;
  if (!keepPriorityValue && !keepPolicy) return pod;
  return {
    ...pod,
    spec: { ...pod.spec!, ...(keepPriorityValue ? { priority } : {}), ...(keepPolicy ? { preemptionPolicy } : {}) },
  };
}
