// Roles and bindings, signing requests, questions of authentication and authorization.
import { type Change, type Subject, type Update, gone } from './subject.ts';

/** Signing requests and a certificate: of nobody, and as good as any. */
const REQUEST =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlJQ1hUQ0NBVVVDQVFBd0dERUtNQWdHQTFVRUNnd0JaekVLTUFnR0ExVUVBd3dCZFRDQ0FTSXdEUVlKS29aSQpodmNOQVFFQkJRQURnZ0VQQURDQ0FRb0NnZ0VCQU5Bd2VCUTVzdGR3dFpyMTFQVTdGRjY1R2h1TG1QMUNGN0RnCllTcmo3TkdFYUNCQXdrTS9zTTJ6eTR5V2I2VE90MUNsRmsxb0xlaG1kZG5UOHkzSldNSzU3RVR4RFVvQUszeXMKQU5oLzVZc1hnVEF4NUowLzFwMjBGZkxadERVWnpkcnNkbnRMYWIyU21TY05PVHI2ZExPT0hZeXZMbHVML1ptdQpWeFFJVGRSeEY1MzVQMTYzVmZUQ01TQ3VQOEYwWmV5dmxOeVJzTUpidnpMQnh1bDJFVE9YOHBsQ0NTWTh2cHl6Cnh2dVYvMmxsYzVuSWswbXE5SkkxYVZhL1ptdUxyUEoyYWU5cWR5RjY5WXZyU0dQRkFpUG5ORi9hbmpwU2pZSVgKWkc2L3JyMTRuc21aSXA0c09wOWFKeis3bzFXeE1iZVd0RTlRWmtzUVQwNVE3Z1BrRzVrQ0F3RUFBYUFBTUEwRwpDU3FHU0liM0RRRUJDd1VBQTRJQkFRQlBDd0NzM3Y0K0pxQm1ubXkwTWlzTUZTQUlXZW5FRGVLSEZIeU9ubHV4CllzVTBtbnZ5R09CQ3Y5UzBQREhDbVlFd1ExZkw2MkFmOXRkRWJ0Q1RtMzB5RnRoZWpEbkNYN1R6OHRzRE5ENnEKQlgyWm1odG9tSzBZa1VVeUZ6TmlrbkovSE16Z2doVndYbkZabm9JQUVybVVIbkJybW1jY3Q4RXVpazE5SkVQYwpMSm1EaFlJd3NFNU5rbkRqcGpxek9IcDNWQ21iWkU3Nm9aVnh5ZHcwYitKUm5JSGxjTmFiT0NaVlJDNmJOV3JYCmwwYVZHZ1VLZU5uZnFWR2d4NnRic29QS2ZhWU9WMVVybE5HODdqQ3RVWHFYN1Z4UVI4ckRIRm80TFVBRk5yY1MKRFJ6RUhhaXBqTG0xY2FrcUgwaDZDeEFLZE04TFhjZ2pNT0VPVmNzKzBNdEIKLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==';
const NODE_REQUEST =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlJQ2REQ0NBVndDQVFBd0x6RVZNQk1HQTFVRUNnd01jM2x6ZEdWdE9tNXZaR1Z6TVJZd0ZBWURWUVFEREExegplWE4wWlcwNmJtOWtaVHB1TUlJQklqQU5CZ2txaGtpRzl3MEJBUUVGQUFPQ0FROEFNSUlCQ2dLQ0FRRUFyOWFFCk5Pdk9Panp6ajV2QVhQQjgzZ1pRaVhpYTgxOVVoOTVGV0R1RkZDSkVlQUI3ZExjRkVrb2YzYTQ2MWZQd29HOHYKR2d4aDc2VTFyaVJPN3dSRE1DeHMrZUNSaXRNNCsyclR2YzJNMDFNcC9YMXNsbGZMR3NpUmpYdW1LRTBvR05SNwpWaW82U0JxVFVLdnJZb3VUaWdiazAzcEhkS1owOGhwVlgya0w1RWJ2VkM4cWdIN0Y5WHN3UjF0VEtmWXljRUNaCms3ZGlEMkxNM1ZxVnJRc001Um9GTXNCSmNhNTJlWDlOZ3JIWmVCRFkxdTczdFJMeVoyWXBpUFJJRXVNQitYbEsKakgxa2JXZkd5WDdLVkNMS1RTUExrbStFOVk3ZnRFbjA2VWcxSTFreDM1eUlaQkpKMTJPN0dJZ0VzTnh2MnNqOQpqODNNd0V0TzJMbFNQTXBiNXdJREFRQUJvQUF3RFFZSktvWklodmNOQVFFTEJRQURnZ0VCQUd1RHl5S3huS0h5CkIycmI2QXZhTkRhS1VLK21OaE1mbEJDR1M1VDVQSVI3ZTB6NEhydTRBZkIvWVBraWptTVVlWW9vUVBsd1ZvV2gKK29OVURDK0RjYk5sQXA4RUdYWllCcklyYm1mbHJpaUZRRjgxMDZDMHdEVllOQktYbmVKOERqU1c4eFU5M080ZQorNmF4YnNjTVk3MSsyUWRrZGtpWWNtVzdvR0FHTXVxTnRvZCtrRmI1Ry9jV2d4WnBrTTdKNEdwNURnbDB1NTJwCis3VHluNnlvMUcxOUZJS1hPbWRDMjBadEg0anBuWmZZQTNVSHJyUndkcHRhZnFLVmVxclBSa3VrUlNhM1BRVHUKRkpMVjczTnl5MkQ5c0xSYUcvcGRURU56ZW1WdXNDbUVMTW81dXg2WDQvUktWVW5qbndwd0RsY2kvdEgxVXoxRApJdEcyTHFVMVhPbz0KLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==';
const CERTIFICATE =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSURHakNDQWdLZ0F3SUJBZ0lVVmRGSnVweVNZNnRzQmtzbmFjc3ZINDBoK25jd0RRWUpLb1pJaHZjTkFRRUwKQlFBd0ZERVNNQkFHQTFVRUF3d0pNVEkzTGpBdU1DNHhNQjRYRFRJMk1URXlNakl3TVRrek4xb1hEVEkyTVRJeQpNakl3TVRrek4xb3dGREVTTUJBR0ExVUVBd3dKTVRJM0xqQXVNQzR4TUlJQklqQU5CZ2txaGtpRzl3MEJBUUVGCkFBT0NBUThBTUlJQkNnS0NBUUVBMDhHc0xObS9BTWJlOUxRdWRHOTQ4eGU2SC8vOWg1TkFSMUtGZWtsdVk1OE0KYU43cU5pV0FCeEwwemdaQzh2SXJtQWJadVo5dFJubVN3cjFEMEowUythK2JVMVNNUGVYUjl2bkRvZEFmUFdDcgo3cVJkbmNUamZ3Njl0aVBLSGVkUytSSndzTFhON0laR3YvOFhGZ1hjV25mSXpaNzVMellnQ3Riakw3YkdSOThTCmVqZi9Ga3hDTGhjcFZvdi9QVmpHMTBFZUtGWDZhV3pPQWUrVEhDZ3dTblB3SHU4ckdlVDdLbzJSWGdtcW1RcisKYWNWcDJEMDJLOVRKeU1jdjd1RGRWcHhacllXNG52MFkwSURwTXBzSnJBeVIvRmovUnZEcXhaUWZPaFBRQjhoZgphV3FlOGVjb3VMdEZWV3BHaFJDNFpOcGN3NG9lTTd2c1Y2VzEzSFpQQlFJREFRQUJvMlF3WWpBZEJnTlZIUTRFCkZnUVUwQUdIcEt3TE4xblVOSFpneUxVbzZVUnRnSXd3SHdZRFZSMGpCQmd3Rm9BVTBBR0hwS3dMTjFuVU5IWmcKeUxVbzZVUnRnSXd3RHdZRFZSMFRBUUgvQkFVd0F3RUIvekFQQmdOVkhSRUVDREFHaHdSL0FBQUJNQTBHQ1NxRwpTSWIzRFFFQkN3VUFBNElCQVFBeVI2L3JJektlenB1L05GdXJ5NVB1STJEem1tTDUwSlRnWTZRQmNKSnJOWklwCnlleGRFT08veG54T0FlQWZPSVNwcFhtMTRPOTg5RGVOdTd5cVFYRlBIdnR0VmdiMTVYQ0U4M3psenlSWitBR0EKcVc5OE9LOHFDaTFQdUY2TGc2Z3kvK1FzdGRJaE9OS2dWTjJrWi9lL2xoNzRFOXduMjNVQndNZFRaY0QzaHlLSApURk9JVTBpRCtXZ1ZDRmxsNE1UeDVCTjhxS2t5SFRpTkM2NEdkQkl2TTVGTy81dFZJZCtBN2tYS1R4N1g2eks4CktIVCtzRmhyU01pdGp6cGltVUlVYWsyS1hkT0hESG5qdjFaajc3R05DbFo3MU1KZE5MN3ZEWkFZN2pGLzZLTUoKSTdJOGRzSmhCWW5obWpIOExQK2J5cGRUc05YRzMrMjU2U0pjeEpiaQotLS0tLUVORCBDRVJUSUZJQ0FURS0tLS0tCg==';

const update = (to: Change, from: Change = {}): Update => ({ from, to });
const spec = (change: Change): Change => ({ spec: change });
const RBAC = 'rbac.authorization.k8s.io';

const rules = (change: Change): Change => ({ rules: [change] });
const ruleShapes: Readonly<Record<string, Change>> = {
  rule: rules({ apiGroups: ['apps'], resources: ['deployments'], verbs: ['get'], resourceNames: ['a'] }),
};
const ruleCrossed: Readonly<Record<string, Change>> = {
  'verbs-none': rules({ apiGroups: [''], resources: ['pods'] }),
  'groups-none': rules({ resources: ['pods'], verbs: ['get'] }),
  'resources-none': rules({ apiGroups: [''], verbs: ['get'] }),
  'rule-empty': rules({}),
  'non-resource': rules({ nonResourceURLs: ['/healthz'], verbs: ['get'] }),
  'non-resource-and-resource': rules({
    nonResourceURLs: ['/healthz'],
    apiGroups: [''],
    resources: ['pods'],
    verbs: ['get'],
  }),
  'verb-unknown': rules({ apiGroups: [''], resources: ['pods'], verbs: ['dance'] }),
  'rules-gone': { rules: gone },
};
const roles: Subject = {
  apiVersion: `${RBAC}/v1`,
  kind: 'Role',
  minimal: { rules: [] },
  shapes: ruleShapes,
  crossed: ruleCrossed,
  changing: ['rule'],
};
const clusterRoles: Subject = {
  apiVersion: `${RBAC}/v1`,
  kind: 'ClusterRole',
  minimal: { rules: [] },
  shapes: {
    ...ruleShapes,
    'non-resource': rules({ nonResourceURLs: ['/metrics/*'], verbs: ['get'] }),
    aggregation: { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] } },
  },
  changing: ['rule', 'aggregation'],
  crossed: {
    ...ruleCrossed,
    'aggregation-none': { aggregationRule: {} },
    'aggregation-selector-bad': { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'Bad Value!' } }] } },
    'aggregation-selector-operator': {
      aggregationRule: { clusterRoleSelectors: [{ matchExpressions: [{ key: 'a', operator: 'Near' }] }] },
    },
  },
};
const bindingShapes: Readonly<Record<string, Change>> = {
  user: { subjects: [{ kind: 'User', name: 'u', apiGroup: RBAC }] },
  account: { subjects: [{ kind: 'ServiceAccount', name: 's', namespace: 'default' }] },
};
const bindingCrossed: Readonly<Record<string, Change>> = {
  'subject-kind-unknown': { subjects: [{ kind: 'Robot', name: 'r' }] },
  'subject-user-defaulted': {
    subjects: [
      { kind: 'User', name: 'u' },
      { kind: 'Group', name: 'g' },
    ],
  },
  'subject-user-group-bad': { subjects: [{ kind: 'User', name: 'u', apiGroup: 'example.com' }] },
  'subject-account-group': { subjects: [{ kind: 'ServiceAccount', name: 's', namespace: 'n', apiGroup: RBAC }] },
  'subject-account-without-namespace': { subjects: [{ kind: 'ServiceAccount', name: 's' }] },
  'subject-account-name-bad': { subjects: [{ kind: 'ServiceAccount', name: 'Bad Name!', namespace: 'n' }] },
  'subject-empty': { subjects: [{}] },
  'ref-gone': { roleRef: gone },
  'ref-group-other': { roleRef: { apiGroup: 'example.com' } },
  'ref-kind-other': { roleRef: { kind: 'Thing' } },
  'ref-name-missing': { roleRef: { name: gone } },
  'ref-name-with-slash': { roleRef: { name: 'a/b' } },
};
const bindingUpdates: Readonly<Record<string, Update>> = {
  'ref-changed': update({ roleRef: { name: 'edit' } }),
  'ref-kind-changed': update({ roleRef: { kind: 'Role', name: 'x' } }),
  'subjects-changed': update({ subjects: [{ kind: 'User', name: 'u' }] }),
  'subject-bad': update({ subjects: [{ kind: 'User', name: '' }] }),
};
const REF: Change = { roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'view' } };
const bindings: Subject = {
  apiVersion: `${RBAC}/v1`,
  kind: 'RoleBinding',
  minimal: REF,
  shapes: bindingShapes,
  crossed: { ...bindingCrossed, 'ref-role': { roleRef: { kind: 'Role', name: 'x' } } },
  updates: bindingUpdates,
};
const clusterBindings: Subject = {
  apiVersion: `${RBAC}/v1`,
  kind: 'ClusterRoleBinding',
  minimal: REF,
  shapes: bindingShapes,
  crossed: { ...bindingCrossed, 'ref-role': { roleRef: { kind: 'Role', name: 'x' } } },
  updates: bindingUpdates,
};

const approval = (...conditions: readonly Change[]): Update => ({
  to: { status: { conditions } },
  subresource: 'approval',
});
const APPROVED: Change = { type: 'Approved', status: 'True', reason: 'R', message: 'm' };
const signingRequests: Subject = {
  apiVersion: 'certificates.k8s.io/v1',
  kind: 'CertificateSigningRequest',
  minimal: {
    spec: { request: REQUEST, signerName: 'example.com/signer', usages: ['digital signature', 'client auth'] },
  },
  shapes: { whole: spec({ expirationSeconds: 3600 }) },
  changing: ['whole'],
  crossed: {
    'request-no-pem': spec({ request: 'YQ==' }),
    'signer-without-slash': spec({ signerName: 'signer' }),
    'signer-legacy': spec({ signerName: 'kubernetes.io/legacy-unknown' }),
    'signer-malformed': spec({ signerName: 'Bad_/x y' }),
    'signer-long': spec({ signerName: `example.com/${'a'.repeat(600)}` }),
    'usages-none': spec({ usages: [] }),
    'usage-unknown': spec({ usages: ['dancing'] }),
    'usage-twice': spec({ usages: ['client auth', 'client auth'] }),
    'expiration-short': spec({ expirationSeconds: 599 }),
    'user-of-ones-own': spec({ username: 'someone', groups: ['g'], uid: 'x', extra: { a: ['b'] } }),
    'kubelet-client': spec({ request: NODE_REQUEST, signerName: 'kubernetes.io/kube-apiserver-client-kubelet' }),
    'kubelet-serving-without-sans': spec({
      request: NODE_REQUEST,
      signerName: 'kubernetes.io/kubelet-serving',
      usages: ['digital signature', 'key encipherment', 'server auth'],
    }),
    'masters-group': spec({ signerName: 'kubernetes.io/kube-apiserver-client' }),
  },
  updates: {
    approve: approval(APPROVED),
    deny: approval({ ...APPROVED, type: 'Denied' }),
    'approve-and-deny': approval(APPROVED, { ...APPROVED, type: 'Denied' }),
    'approve-false': approval({ ...APPROVED, status: 'False' }),
    'approve-twice': approval(APPROVED, APPROVED),
    'approve-without-status': approval({ type: 'Approved' }),
    'condition-without-type': approval({ status: 'True' }),
    'condition-status-unknown': approval({ type: 'Failed', status: 'Maybe' }),
    'spec-by-approval': {
      to: { spec: { signerName: 'example.com/other' }, status: { conditions: [APPROVED] } },
      subresource: 'approval',
    },
    'certificate-good': { to: { status: { certificate: CERTIFICATE } }, subresource: 'status' },
    'certificate-bad': { to: { status: { certificate: 'YQ==' } }, subresource: 'status' },
    'status-approves': { to: { status: { conditions: [APPROVED] } }, subresource: 'status' },
    'status-failed': {
      to: { status: { conditions: [{ type: 'Failed', status: 'True', reason: 'R', message: 'm' }] } },
      subresource: 'status',
    },
  },
};

const RESOURCE: Change = { namespace: 'default', verb: 'get', resource: 'pods' };
const reviewShapes: Readonly<Record<string, Change>> = {
  whole: spec({ resourceAttributes: { group: 'apps', version: 'v1', subresource: 'status', name: 'n' } }),
  'field-selector': spec({
    resourceAttributes: {
      verb: 'list',
      fieldSelector: { requirements: [{ key: 'spec.nodeName', operator: 'In', values: ['n'] }] },
    },
  }),
  'label-selector': spec({
    resourceAttributes: {
      verb: 'list',
      labelSelector: { requirements: [{ key: 'a', operator: 'In', values: ['b'] }] },
    },
  }),
};
const reviewCrossed: Readonly<Record<string, Change>> = {
  'spec-gone': { spec: gone },
  'attributes-none': { spec: { resourceAttributes: gone } },
  'attributes-both': spec({ nonResourceAttributes: { path: '/x', verb: 'get' } }),
  'path-only': { spec: { resourceAttributes: gone, nonResourceAttributes: { path: '/healthz', verb: 'get' } } },
  'selector-raw-and-parsed': spec({
    resourceAttributes: {
      fieldSelector: { rawSelector: 'a=b', requirements: [{ key: 'a', operator: 'In', values: ['b'] }] },
    },
  }),
  'selector-empty': spec({ resourceAttributes: { fieldSelector: {} } }),
  'selector-operator-unknown': spec({
    resourceAttributes: { labelSelector: { requirements: [{ key: 'a', operator: 'Near' }] } },
  }),
  'selector-raw': spec({ resourceAttributes: { labelSelector: { rawSelector: 'a=b' } } }),
};
const reviewMinimal: Change = { spec: { user: 'u', resourceAttributes: RESOURCE } };
const accessReviews: Subject = {
  apiVersion: 'authorization.k8s.io/v1',
  kind: 'SubjectAccessReview',
  isReview: true,
  minimal: reviewMinimal,
  shapes: { ...reviewShapes, who: spec({ groups: ['g'], uid: 'x', extra: { a: ['b'] } }) },
  crossed: {
    ...reviewCrossed,
    'user-missing': { spec: { user: gone } },
    'group-alone': { spec: { user: gone, groups: ['system:masters'] } },
  },
};
const selfReviews: Subject = {
  apiVersion: 'authorization.k8s.io/v1',
  kind: 'SelfSubjectAccessReview',
  isReview: true,
  minimal: { spec: { resourceAttributes: RESOURCE } },
  crossed: { ...reviewShapes, ...reviewCrossed },
};
const localReviews: Subject = {
  apiVersion: 'authorization.k8s.io/v1',
  kind: 'LocalSubjectAccessReview',
  isReview: true,
  minimal: { spec: { user: 'u', resourceAttributes: { ...RESOURCE, namespace: '{ns}' } } },
  crossed: {
    ...reviewCrossed,
    'namespace-other': spec({ resourceAttributes: { namespace: 'other' } }),
    'namespace-missing': { spec: { resourceAttributes: { namespace: gone } } },
  },
};
const tokenReviews: Subject = {
  apiVersion: 'authentication.k8s.io/v1',
  kind: 'TokenReview',
  isReview: true,
  minimal: { spec: { token: 'nobody' } },
  crossed: {
    'token-missing': { spec: { token: gone } },
    audiences: spec({ audiences: ['a'] }),
    'spec-gone': { spec: gone },
  },
};
const selfSubject: Subject = {
  apiVersion: 'authentication.k8s.io/v1',
  kind: 'SelfSubjectReview',
  isReview: true,
  minimal: {},
};

export const access: readonly Subject[] = [
  roles,
  clusterRoles,
  bindings,
  clusterBindings,
  signingRequests,
  accessReviews,
  selfReviews,
  localReviews,
  tokenReviews,
  selfSubject,
];
