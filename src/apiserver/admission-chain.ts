// Runs the admission plugins in their order: first all that mutate, later all that validate.
import type { KubeObject } from '#machinery/object.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin } from './pipeline.ts';

/** Attributes without the object, which changes on its way. */
export type AttributesBase = Omit<AdmissionAttributes, 'object'>;

export class AdmissionChain {
  readonly #mutating: readonly AdmissionPlugin[];
  readonly #validating: readonly AdmissionPlugin[];
  /** `operation group/resource/subresource` → the plugins that want to see it. Bounded by what is served. */
  readonly #memo = new Map<
    string,
    { readonly mutating: readonly AdmissionPlugin[]; readonly validating: readonly AdmissionPlugin[] }
  >();

  constructor(plugins: readonly AdmissionPlugin[]) {
    const names = new Set(plugins.map((p) => p.name));
    if (names.size !== plugins.length) throw new Error('two admission plugins have the same name');
    this.#mutating = plugins.filter((p) => p.admit !== undefined);
    this.#validating = plugins.filter((p) => p.validate !== undefined);
  }

  async admit(base: AttributesBase, object: KubeObject): Promise<KubeObject> {
    let current = object;
    for (const plugin of this.#for(base).mutating) {
      const result = plugin.admit!({ ...base, object: current });
      current = (result instanceof Promise ? await result : result) ?? current;
    }
    return current;
  }

  async validate(base: AttributesBase, object: KubeObject | undefined): Promise<void> {
    const { validating } = this.#for(base);
    if (validating.length === 0) return;
    const name = object?.metadata?.name;
    const attributes: AdmissionAttributes = {
      ...base,
      object,
      name: base.name === '' && name !== undefined ? name : base.name,
    };
    for (const plugin of validating) await plugin.validate!(attributes);
  }

  /** Both phases, for operations that carry no object of their own (DELETE, CONNECT). */
  async check(base: AttributesBase): Promise<void> {
    for (const plugin of this.#for(base).mutating) await plugin.admit!({ ...base, object: undefined });
    await this.validate(base, undefined);
  }

  /** Whether anybody wants to see such an operation. */
  watches(operation: AdmissionOperation, group: string, resource: string, subresource: string): boolean {
    const found = this.#for({ operation, group, resource, subresource });
    return found.mutating.length + found.validating.length > 0;
  }

  #for(of: Pick<AttributesBase, 'operation' | 'group' | 'resource' | 'subresource'>): {
    readonly mutating: readonly AdmissionPlugin[];
    readonly validating: readonly AdmissionPlugin[];
  } {
    const key = `${of.operation} ${of.group}/${of.resource}/${of.subresource}`;
    return this.#memo.getOrInsertComputed(key, () => {
      const handles = (p: AdmissionPlugin) =>
        p.handles === undefined || p.handles(of.operation, of.group, of.resource, of.subresource);
      return { mutating: this.#mutating.filter(handles), validating: this.#validating.filter(handles) };
    });
  }
}
