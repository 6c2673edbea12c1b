// Who may do what: the authorizers in order, joined into the one that the pipeline calls.
import type { Authorizer, AuthorizerAttributes, Decision, RuleResolver } from '../pipeline.ts';
import { PRIVILEGED_GROUP } from '../authentication/users.ts';
import { NodeAuthorizer } from './node.ts';
import type { NodeGraph } from './node-graph.ts';
import { RbacAuthorizer } from './rbac.ts';
import type { RbacSource } from './rbac-source.ts';

export interface AuthorizerDeps {
  readonly rbac: RbacSource;
  /** What nodes may read because of their pods; undefined switches the Node authorizer off. */
  readonly nodeGraph?: NodeGraph;
  /** Paths open to everybody, upstream's --authorization-always-allow-paths; a trailing `*` matches what begins so. */
  readonly alwaysAllowPaths?: readonly string[];
}

/** Upstream's default: probes need no rights. */
export const ALWAYS_ALLOW_PATHS: readonly string[] = ['/healthz', '/readyz', '/livez'];

export interface Authorizations {
  readonly authorizer: Authorizer;
  /** For SelfSubjectRulesReview. */
  readonly rules: RuleResolver;
  /** For escalation and bind checks. */
  readonly rbac: RbacAuthorizer;
}

export function createAuthorizer(deps: AuthorizerDeps): Authorizations {
  const rbac = new RbacAuthorizer(deps.rbac);
  const authorizers: Authorizer[] = [
    // Before everything else: the cluster's administrator gets in even when every binding is broken.
    new PrivilegedGroupAuthorizer(),
    new PathAuthorizer(deps.alwaysAllowPaths ?? ALWAYS_ALLOW_PATHS),
    // Before RBAC as upstream's --authorization-mode=Node,RBAC: most requests of kubelets end here.
    ...(deps.nodeGraph === undefined ? [] : [new NodeAuthorizer(deps.nodeGraph)]),
    rbac,
  ];
  return { authorizer: new UnionAuthorizer(authorizers), rules: rulesOf(rbac, deps.nodeGraph !== undefined), rbac };
}

class PrivilegedGroupAuthorizer implements Authorizer {
  authorize({ user }: AuthorizerAttributes): Decision {
    return user.groups.includes(PRIVILEGED_GROUP) ? { decision: 'allow', reason: '' } : NO_OPINION;
  }
}

class PathAuthorizer implements Authorizer {
  readonly #exact: ReadonlySet<string>;
  readonly #prefixes: readonly string[];

  constructor(paths: readonly string[]) {
    this.#exact = new Set(paths.filter((p) => !p.endsWith('*')));
    this.#prefixes = paths.filter((p) => p.endsWith('*')).map((p) => p.slice(0, -1));
  }

  authorize({ isResourceRequest, path }: AuthorizerAttributes): Decision {
    if (isResourceRequest) return NO_OPINION;
    return this.#exact.has(path) || this.#prefixes.some((p) => path.startsWith(p))
      ? { decision: 'allow', reason: '' }
      : NO_OPINION;
  }
}

const NO_OPINION: Decision = { decision: 'no-opinion', reason: '' };

/** The first that allows or denies decides; reasons of those without opinion are joined, a line each. Stays synchronous as
 *  long as its members do. */
export class UnionAuthorizer implements Authorizer {
  readonly #members: readonly Authorizer[];

  constructor(members: readonly Authorizer[]) {
    this.#members = members;
  }

  authorize(attributes: AuthorizerAttributes): Decision | Promise<Decision> {
    return this.#from(0, attributes, []);
  }

  #from(start: number, attributes: AuthorizerAttributes, reasons: string[]): Decision | Promise<Decision> {
    for (let i = start; i < this.#members.length; i++) {
      const answer = this.#members[i]!.authorize(attributes);
      if (answer instanceof Promise) {
        return answer.then((decision) => {
          if (decision.decision !== 'no-opinion') return decision;
          if (decision.reason !== '') reasons.push(decision.reason);
          return this.#from(i + 1, attributes, reasons);
        });
      }
      if (answer.decision !== 'no-opinion') return answer;
      if (answer.reason !== '') reasons.push(answer.reason);
    }
    return { decision: 'no-opinion', reason: reasons.join('\n') };
  }
}

function rulesOf(rbac: RbacAuthorizer, withNode: boolean): RuleResolver {
  return {
    // What system:masters may without any binding is told by nobody: its binding says the same.
    rulesFor: (user, namespace) => ({
      ...rbac.rulesFor(user, namespace),
      // The Node authorizer decides by graph and cannot list.
      ...(withNode && user.name.startsWith('system:node:')
        ? { incomplete: true, evaluationError: 'node authorizer does not support user rule resolution' }
        : {}),
    }),
  };
}
