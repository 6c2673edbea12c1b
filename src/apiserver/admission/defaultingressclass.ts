// DefaultIngressClass: an Ingress that names no class gets the default one.
import type { Ingress, IngressClass } from '#generated/api/networking-v1.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin } from '../pipeline.ts';
import { defaultClass } from './default-class.ts';

export interface DefaultIngressClassDeps {
  readonly ingressClasses: { list(): readonly IngressClass[] };
}

const DEFAULT_ANNOTATION = 'ingressclass.kubernetes.io/is-default-class';
const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';

export class DefaultIngressClass implements AdmissionPlugin {
  readonly name = 'DefaultIngressClass';
  readonly #deps: DefaultIngressClassDeps;

  constructor(deps: DefaultIngressClassDeps) {
    this.#deps = deps;
  }

  handles(operation: AdmissionOperation, group: string, resource: string, subresource: string): boolean {
    return operation === 'CREATE' && group === 'networking.k8s.io' && resource === 'ingresses' && subresource === '';
  }

  admit(a: AdmissionAttributes): Ingress {
    const ingress = a.object as Ingress;
    if (ingress.spec?.ingressClassName !== undefined || ingress.metadata.annotations?.[CLASS_ANNOTATION] !== undefined)
      return ingress;
    const chosen = defaultClass(this.#deps.ingressClasses.list(), [DEFAULT_ANNOTATION]);
    return chosen === undefined
      ? ingress
      : { ...ingress, spec: { ...ingress.spec, ingressClassName: chosen.metadata.name! } };
  }
}
