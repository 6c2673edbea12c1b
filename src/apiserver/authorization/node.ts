// The Node authorizer: a kubelet reads what its own pods need, writes its own node, lease and CSINode, and asks for
// tokens of its pods' service accounts. Everything else a node may do stands in ClusterRole system:node, whose rules are
// held by all nodes here (that role is bound to nobody). What a node may WRITE within that is for admission (NodeRestriction).
import type { PolicyRule } from '#generated/api/rbac-v1.ts';
import type { Authorizer, AuthorizerAttributes, Decision } from '../pipeline.ts';
import { nodeNameOf } from '../authentication/users.ts';
import { BOOTSTRAP_CLUSTER_ROLES } from './bootstrap/cluster-roles.ts';
import type { GraphResource, NodeGraph } from './node-graph.ts';
import { ruleAllows } from './rules.ts';

const NODE_RULES: readonly PolicyRule[] = BOOTSTRAP_CLUSTER_ROLES.find((r) => r.name === 'system:node')!.rules;

export class NodeAuthorizer implements Authorizer {
  readonly #graph: NodeGraph;

  constructor(graph: NodeGraph) {
    this.#graph = graph;
  }

  authorize(attributes: AuthorizerAttributes): Decision {
    const node = nodeNameOf(attributes.user);
    if (node === undefined) return no('');
    if (node === '') return no(`unknown node for user ${JSON.stringify(attributes.user.name)}`);
    if (attributes.isResourceRequest) {
      const answer = this.#resource(node, attributes);
      if (answer !== undefined) return answer;
    }
    return NODE_RULES.some((rule) => ruleAllows(attributes, rule)) ? YES : no('');
  }

  /** Undefined: not a resource with a rule of its own. */
  #resource(node: string, a: AuthorizerAttributes): Decision | undefined {
    switch (`${a.apiGroup}/${a.resource}`) {
      case '/secrets':
        return this.#readNamespaced(node, 'secrets', a);
      case '/configmaps':
        return this.#readNamespaced(node, 'configmaps', a);
      case '/persistentvolumeclaims':
        if (a.subresource === 'status') return this.#updateStatus(node, 'persistentvolumeclaims', a);
        return this.#get(node, 'persistentvolumeclaims', a);
      case '/persistentvolumes':
        return this.#get(node, 'persistentvolumes', a);
      case 'resource.k8s.io/resourceclaims':
        return this.#get(node, 'resourceclaims', a);
      case 'storage.k8s.io/volumeattachments':
        return this.#get(node, 'volumeattachments', a);
      case '/serviceaccounts':
        return this.#serviceAccount(node, a);
      case 'coordination.k8s.io/leases':
        return ownLease(node, a);
      case 'storage.k8s.io/csinodes':
        return ownObject(node, a, ['get', 'create', 'update', 'patch', 'delete'], 'CSINode');
      case 'resource.k8s.io/resourceslices':
        return resourceSlice(node, a);
      case '/nodes':
        return ownNode(node, a);
      case '/pods':
        return ownPods(node, a, this.#graph);
      default:
        return undefined;
    }
  }

  /** Reads of one object by name; list and watch only with a selector on its name, which the pipeline puts into `name`. */
  #readNamespaced(node: string, resource: GraphResource, a: AuthorizerAttributes): Decision {
    if (!['get', 'list', 'watch'].includes(a.verb) || a.subresource !== '')
      return no(`can only read resources of this type`);
    if (a.name === '') return no('No Object name found');
    return this.#referred(node, resource, a);
  }

  #get(node: string, resource: GraphResource, a: AuthorizerAttributes): Decision {
    if (a.verb !== 'get' || a.subresource !== '') return no('can only get individual resources of this type');
    if (a.name === '') return no('No Object name found');
    return this.#referred(node, resource, a);
  }

  #updateStatus(node: string, resource: GraphResource, a: AuthorizerAttributes): Decision {
    if (!['get', 'update', 'patch'].includes(a.verb)) return no('can only update PVC status');
    return this.#referred(node, resource, a);
  }

  #serviceAccount(node: string, a: AuthorizerAttributes): Decision {
    if (a.subresource === 'token' && a.verb === 'create') return this.#referred(node, 'serviceaccounts', a);
    if (a.subresource === '' && a.verb === 'get') return this.#referred(node, 'serviceaccounts', a);
    return no('can only get or create tokens for service accounts of own pods');
  }

  #referred(node: string, resource: GraphResource, a: AuthorizerAttributes): Decision {
    if (this.#graph.refers(node, resource, a.namespace, a.name)) return YES;
    // Upstream's sentence: users search for it.
    return no(`no relationship found between node '${node}' and this object`);
  }
}

function ownLease(node: string, a: AuthorizerAttributes): Decision {
  if (a.namespace !== 'kube-node-lease') return no(`can only access leases in the "kube-node-lease" system namespace`);
  return ownObject(node, a, ['get', 'create', 'update', 'patch', 'delete'], 'lease');
}

/** The name of a create stands in its body: NodeRestriction looks at that. */
function ownObject(node: string, a: AuthorizerAttributes, verbs: readonly string[], what: string): Decision {
  if (!verbs.includes(a.verb)) return no(`can only get, create, update, patch, or delete a ${what}`);
  if (a.subresource !== '') return no(`cannot access subresources of a ${what}`);
  return a.verb === 'create' || a.name === node
    ? YES
    : no(`can only access ${what} with the same name as the requesting node`);
}

function resourceSlice(node: string, a: AuthorizerAttributes): Decision {
  if (a.subresource !== '') return no('cannot access subresources of a ResourceSlice');
  // Whose slice a create or an update names is for NodeRestriction; lists must be narrowed to the node's own.
  if (['get', 'create', 'update', 'patch', 'delete'].includes(a.verb)) return YES;
  const own = a.fieldSelector === `spec.nodeName=${node}`;
  return own ? YES : no('can only list/watch/deletecollection resourceslices with nodeName field selector');
}

function ownNode(node: string, a: AuthorizerAttributes): Decision {
  if (a.verb === 'create' && a.subresource === '') return YES;
  if (['get', 'list', 'watch'].includes(a.verb) && a.subresource === '') {
    return a.name === node || a.fieldSelector === `metadata.name=${node}`
      ? YES
      : no(`node '${node}' cannot read ${a.name === '' ? 'all nodes' : `'${a.name}'`}, only its own Node object`);
  }
  if (['update', 'patch'].includes(a.verb) && ['', 'status'].includes(a.subresource)) {
    return a.name === node ? YES : no(`node '${node}' cannot modify node '${a.name}'`);
  }
  return no('can only create, get, list, watch, update and patch its own node');
}

function ownPods(node: string, a: AuthorizerAttributes, graph: NodeGraph): Decision {
  // Whose pod a write is about is for NodeRestriction, which looks at the pod itself.
  if (a.subresource === 'status') return ['update', 'patch'].includes(a.verb) ? YES : no('can only update pod status');
  if (a.subresource === 'eviction') return a.verb === 'create' ? YES : no('can only create evictions');
  if (a.subresource !== '') return no('cannot access this subresource of pods');
  switch (a.verb) {
    case 'get':
      return graph.refers(node, 'pods', a.namespace, a.name)
        ? YES
        : no(`no relationship found between node '${node}' and this object`);
    case 'list':
    case 'watch':
      return a.fieldSelector === `spec.nodeName=${node}` ||
        (a.name !== '' && graph.refers(node, 'pods', a.namespace, a.name))
        ? YES
        : no('can only list/watch pods with spec.nodeName field selector');
    // Mirror pods, and the end of its own pods; NodeRestriction holds them to that.
    case 'create':
    case 'delete':
      return YES;
    default:
      return no('can only create, get, list, watch and delete pods');
  }
}

const YES: Decision = { decision: 'allow', reason: '' };

function no(reason: string): Decision {
  return { decision: 'no-opinion', reason };
}
