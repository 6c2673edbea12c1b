// Disruption budgets, autoscalers, priority and fairness.
import { type Change, type Subject, type Update, gone } from './subject.ts';

const spec = (change: Change): Change => ({ spec: change });
const status = (to: Change, from: Change = {}): Update => ({ from, to: { status: to }, subresource: 'status' });

const budgets: Subject = {
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  minimal: { spec: { selector: { matchLabels: { a: 'b' } } } },
  shapes: {
    'min-available': spec({ minAvailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' }),
    'max-unavailable': spec({ maxUnavailable: '30%' }),
  },
  changing: ['min-available'],
  crossed: {
    'spec-gone': { spec: gone },
    both: spec({ minAvailable: 1, maxUnavailable: 1 }),
    'selector-gone': { spec: { selector: gone } },
    'selector-bad': spec({ selector: { matchLabels: { a: 'Bad Value!' } } }),
    'percent-101': spec({ minAvailable: '101%' }),
    'percent-negative': spec({ minAvailable: '-1%' }),
    'percent-fractional': spec({ minAvailable: '1.5%' }),
    'unhealthy-unknown': spec({ unhealthyPodEvictionPolicy: 'Sometimes' }),
  },
  updates: {
    'status-good': status({
      observedGeneration: 1,
      currentHealthy: 1,
      desiredHealthy: 1,
      expectedPods: 1,
      disruptionsAllowed: 0,
    }),
    'status-negative': status({ currentHealthy: -1, desiredHealthy: -1, expectedPods: -1, disruptionsAllowed: -1 }),
    'status-condition-bad': status({
      conditions: [{ type: 'A', status: 'Maybe', reason: '', message: '', lastTransitionTime: '2030-01-01T00:00:00Z' }],
      currentHealthy: 0,
      desiredHealthy: 0,
      expectedPods: 0,
      disruptionsAllowed: 0,
    }),
  },
};

const TARGET: Change = { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' }, maxReplicas: 5 };
const metrics = (...list: readonly Change[]): Change => spec({ metrics: list });
const CPU: Change = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
};
const scaling = (behavior: Change): Change => spec({ behavior });
const autoscalers: Subject = {
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  minimal: { spec: TARGET },
  shapes: {
    replicas: spec({ minReplicas: 2 }),
    resource: metrics(CPU),
    'resource-value': metrics({
      type: 'Resource',
      resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '100Mi' } },
    }),
    container: metrics({
      type: 'ContainerResource',
      containerResource: { container: 'main', name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
    }),
    pods: metrics({
      type: 'Pods',
      pods: {
        metric: { name: 'm', selector: { matchLabels: { a: 'b' } } },
        target: { type: 'AverageValue', averageValue: '1k' },
      },
    }),
    object: metrics({
      type: 'Object',
      object: {
        describedObject: { apiVersion: 'v1', kind: 'Service', name: 's' },
        metric: { name: 'm' },
        target: { type: 'Value', value: '10' },
      },
    }),
    external: metrics({
      type: 'External',
      external: {
        metric: { name: 'm', selector: { matchLabels: { a: 'b' } } },
        target: { type: 'Value', value: '10' },
      },
    }),
    behavior: scaling({
      scaleUp: {
        stabilizationWindowSeconds: 5,
        selectPolicy: 'Max',
        policies: [{ type: 'Pods', value: 4, periodSeconds: 15 }],
      },
      scaleDown: {
        stabilizationWindowSeconds: 300,
        selectPolicy: 'Min',
        policies: [{ type: 'Percent', value: 50, periodSeconds: 60 }],
      },
    }),
    'behavior-up-only': scaling({ scaleUp: { stabilizationWindowSeconds: 5 } }),
    'behavior-tolerance': scaling({ scaleDown: { tolerance: '100m' } }),
  },
  changing: ['replicas', 'resource', 'behavior'],
  crossed: {
    'spec-gone': { spec: gone },
    'min-over-max': spec({ minReplicas: 6 }),
    'min-zero': spec({ minReplicas: 0 }),
    'min-zero-with-external': spec({
      minReplicas: 0,
      metrics: [{ type: 'External', external: { metric: { name: 'm' }, target: { type: 'Value', value: '1' } } }],
    }),
    'metric-type-unknown': metrics({ type: 'Magic' }),
    'metric-type-other': metrics({ ...CPU, type: 'Pods' }),
    'metric-source-missing': metrics({ type: 'Resource' }),
    'metric-two-sources': metrics({
      ...CPU,
      pods: { metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: '1' } },
    }),
    'target-type-unknown': metrics({
      type: 'Resource',
      resource: { name: 'cpu', target: { type: 'Guess', averageUtilization: 5 } },
    }),
    'target-both': metrics({
      type: 'Resource',
      resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 5, averageValue: '1' } },
    }),
    'target-neither': metrics({ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization' } } }),
    'target-value-for-resource': metrics({
      type: 'Resource',
      resource: { name: 'cpu', target: { type: 'Value', value: '1' } },
    }),
    'target-none-for-pods': metrics({
      type: 'Pods',
      pods: { metric: { name: 'm' }, target: { type: 'AverageValue' } },
    }),
    'target-both-for-object': metrics({
      type: 'Object',
      object: {
        describedObject: { kind: 'S', name: 's' },
        metric: { name: 'm' },
        target: { type: 'Value', value: '1', averageValue: '1' },
      },
    }),
    'target-none-for-external': metrics({
      type: 'External',
      external: { metric: { name: 'm' }, target: { type: 'Value' } },
    }),
    'metric-name-with-slash': metrics({
      type: 'Pods',
      pods: { metric: { name: 'a/b' }, target: { type: 'AverageValue', averageValue: '1' } },
    }),
    'behavior-empty': scaling({}),
    'behavior-policies-none': scaling({ scaleUp: { policies: [] } }),
    'behavior-window-long': scaling({ scaleDown: { stabilizationWindowSeconds: 3601 } }),
    'behavior-period-long': scaling({ scaleUp: { policies: [{ type: 'Pods', value: 1, periodSeconds: 1801 }] } }),
    'behavior-select-unknown': scaling({ scaleUp: { selectPolicy: 'Most' } }),
    'behavior-select-disabled': scaling({ scaleDown: { selectPolicy: 'Disabled' } }),
    'behavior-type-unknown': scaling({ scaleUp: { policies: [{ type: 'Nodes', value: 1, periodSeconds: 1 }] } }),
    'target-version-missing': { spec: { scaleTargetRef: { apiVersion: gone } } },
  },
  updates: {
    'status-good': status({
      currentReplicas: 1,
      desiredReplicas: 2,
      currentMetrics: null,
      conditions: [{ type: 'AbleToScale', status: 'True' }],
    }),
    'status-negative': status({ currentReplicas: -1, desiredReplicas: -1 }),
  },
};
const oldAutoscalers: Subject = {
  apiVersion: 'autoscaling/v1',
  kind: 'HorizontalPodAutoscaler',
  minimal: { spec: TARGET },
  shapes: { whole: spec({ minReplicas: 2, targetCPUUtilizationPercentage: 50 }) },
  changing: ['whole'],
  crossed: {
    'cpu-zero': spec({ targetCPUUtilizationPercentage: 0 }),
    'cpu-negative': spec({ targetCPUUtilizationPercentage: -5 }),
    'metrics-annotation': {
      metadata: {
        annotations: {
          'autoscaling.alpha.kubernetes.io/metrics':
            '[{"type":"Resource","resource":{"name":"memory","targetAverageUtilization":50}}]',
        },
      },
    },
    'metrics-annotation-bad': { metadata: { annotations: { 'autoscaling.alpha.kubernetes.io/metrics': 'nonsense' } } },
    'behavior-annotation': {
      metadata: {
        annotations: { 'autoscaling.alpha.kubernetes.io/behavior': '{"ScaleUp":{"StabilizationWindowSeconds":5}}' },
      },
    },
  },
};

const RULE: Change = {
  subjects: [{ kind: 'User', user: { name: 'u' } }],
  resourceRules: [
    { verbs: ['get'], apiGroups: [''], resources: ['pods'], namespaces: ['default'], clusterScope: false },
  ],
};
const flow = (change: Change): Change => spec({ rules: [change] });
const flowSchemas: Subject = {
  apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
  kind: 'FlowSchema',
  minimal: { spec: { priorityLevelConfiguration: { name: 'global-default' } } },
  shapes: {
    whole: spec({ matchingPrecedence: 9000, distinguisherMethod: { type: 'ByUser' } }),
    rule: flow(RULE),
    'rule-non-resource': flow({
      subjects: [{ kind: 'Group', group: { name: 'g' } }],
      nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/nowhere'] }],
    }),
    'rule-account': flow({
      ...RULE,
      subjects: [{ kind: 'ServiceAccount', serviceAccount: { namespace: 'n', name: 's' } }],
    }),
  },
  crossed: {
    'spec-gone': { spec: gone },
    'precedence-over': spec({ matchingPrecedence: 10001 }),
    'precedence-one': spec({ matchingPrecedence: 1 }),
    'subject-kind-unknown': flow({ ...RULE, subjects: [{ kind: 'Robot' }] }),
    'subject-union-wrong': flow({ ...RULE, subjects: [{ kind: 'User', group: { name: 'g' } }] }),
    'subjects-none': flow({ ...RULE, subjects: [] }),
    'rules-none': flow({ subjects: [{ kind: 'User', user: { name: 'u' } }] }),
    'verbs-star-and-more': flow({
      ...RULE,
      resourceRules: [
        {
          verbs: ['*', 'get'],
          apiGroups: ['*', 'a'],
          resources: ['*', 'b'],
          namespaces: ['*', 'c'],
          clusterScope: true,
        },
      ],
    }),
    'verb-unknown': flow({
      ...RULE,
      resourceRules: [{ verbs: ['dance'], apiGroups: [''], resources: ['pods'], clusterScope: true }],
    }),
    'scope-none': flow({ ...RULE, resourceRules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }] }),
    'url-relative': flow({
      subjects: [{ kind: 'User', user: { name: 'u' } }],
      nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['x'] }],
    }),
    'url-star-inside': flow({
      subjects: [{ kind: 'User', user: { name: 'u' } }],
      nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/a*b', '/a b', '/*/c', '//'] }],
    }),
    'level-exempt': spec({ priorityLevelConfiguration: { name: 'exempt' } }),
    'distinguisher-unknown': spec({ distinguisherMethod: { type: 'ByMoon' } }),
  },
};

const LIMITED: Change = { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } };
const levels: Subject = {
  apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
  kind: 'PriorityLevelConfiguration',
  minimal: { spec: LIMITED },
  shapes: {
    whole: spec({ limited: { nominalConcurrencyShares: 5, lendablePercent: 10, borrowingLimitPercent: 20 } }),
    queuing: spec({
      limited: { limitResponse: { type: 'Queue', queuing: { queues: 16, handSize: 4, queueLengthLimit: 10 } } },
    }),
  },
  changing: ['whole', 'queuing'],
  crossed: {
    'spec-gone': { spec: gone },
    'type-exempt': { spec: { type: 'Exempt', limited: gone } },
    'type-exempt-with-limits': spec({ type: 'Exempt' }),
    'type-unknown': spec({ type: 'Magic' }),
    'limited-missing': { spec: { limited: gone } },
    'exempt-too': spec({ exempt: {} }),
    'response-unknown': spec({ limited: { limitResponse: { type: 'Shrug' } } }),
    'queuing-missing': spec({ limited: { limitResponse: { type: 'Queue' } } }),
    'queuing-on-reject': spec({
      limited: { limitResponse: { type: 'Reject', queuing: { queues: 1, handSize: 1, queueLengthLimit: 1 } } },
    }),
    'hand-over-queues': spec({
      limited: { limitResponse: { type: 'Queue', queuing: { queues: 2, handSize: 3, queueLengthLimit: 1 } } },
    }),
    'hand-entropy': spec({
      limited: { limitResponse: { type: 'Queue', queuing: { queues: 512, handSize: 20, queueLengthLimit: 1 } } },
    }),
    'queues-over': spec({
      limited: { limitResponse: { type: 'Queue', queuing: { queues: 10000001, handSize: 1, queueLengthLimit: 1 } } },
    }),
    'lendable-over': spec({ limited: { lendablePercent: 101 } }),
    'shares-negative': spec({ limited: { nominalConcurrencyShares: -1 } }),
    'name-exempt': { metadata: { name: 'exempt' } },
  },
};

export const policies: readonly Subject[] = [budgets, autoscalers, oldAutoscalers, flowSchemas, levels];
