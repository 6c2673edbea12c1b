// What the reference consists of, in the order in which it is built: what most work waits for comes first, and each program makes
// the next ones quicker, since they share packages.
import { REFERENCE_VERSION } from './folder.ts';

/** A folder beside this file with go.mod and go.sum. */
export type ReferenceModule = 'kubernetes' | 'etcd' | 'metrics-server';

export interface Program {
  readonly name: string;
  readonly module: ReferenceModule;
  readonly package: string;
  /** Compiled with `go test -c`. */
  readonly isTest?: true;
  readonly why: string;
}

export const PROGRAMS: readonly Program[] = [
  {
    name: 'etcd',
    module: 'etcd',
    package: 'go.etcd.io/etcd/server/v3',
    why: 'the store of the reference',
  },
  {
    name: 'kube-apiserver',
    module: 'kubernetes',
    package: 'k8s.io/kubernetes/cmd/kube-apiserver',
    why: 'the judge of requests and answers',
  },
  {
    name: 'kube-controller-manager',
    module: 'kubernetes',
    package: 'k8s.io/kubernetes/cmd/kube-controller-manager',
    why: 'the judge of what controllers do; deletes namespaces in benchmarks',
  },
  {
    name: 'kube-scheduler',
    module: 'kubernetes',
    package: 'k8s.io/kubernetes/cmd/kube-scheduler',
    why: 'the judge of placement, and its speed',
  },
  {
    name: 'etcdctl',
    module: 'etcd',
    package: 'go.etcd.io/etcd/etcdctl/v3',
    why: 'looks into the store of the reference',
  },
  {
    name: 'ginkgo',
    module: 'kubernetes',
    package: 'github.com/onsi/ginkgo/v2/ginkgo',
    why: 'runs the official suite in several processes',
  },
  {
    name: 'agnhost',
    module: 'kubernetes',
    package: 'k8s.io/kubernetes/test/images/agnhost',
    why: 'the image that most tests of the official suite run',
  },
  {
    name: 'e2e.test',
    module: 'kubernetes',
    package: 'k8s.io/kubernetes/test/e2e',
    isTest: true,
    why: 'the official suite',
  },
  {
    name: 'kubelet',
    module: 'kubernetes',
    package: 'k8s.io/kubernetes/cmd/kubelet',
    why: 'the judge of a node',
  },
  {
    name: 'kube-proxy',
    module: 'kubernetes',
    package: 'k8s.io/kubernetes/cmd/kube-proxy',
    why: 'the judge of services on a node',
  },
  {
    name: 'sample-apiserver',
    module: 'kubernetes',
    package: 'k8s.io/sample-apiserver',
    why: 'the aggregated API server of the official suite',
  },
  {
    name: 'metrics-server',
    module: 'metrics-server',
    package: 'sigs.k8s.io/metrics-server/cmd/metrics-server',
    why: 'the aggregated API server that most clusters have',
  },
];

/** Without the version, the skew checks of the suite and of kubectl fail. */
export const LINKER_FLAGS: string = [
  '-s',
  '-w',
  ...Object.entries({
    gitVersion: `v${REFERENCE_VERSION}`,
    gitMajor: REFERENCE_VERSION.split('.')[0],
    gitMinor: REFERENCE_VERSION.split('.')[1],
  }).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`),
].join(' ');

/** Arguments of `go` for one program; `output` is where it goes. go.mod and go.sum stay as they are. */
export function goArguments(program: Program, output: string): readonly string[] {
  return [
    ...(program.isTest === true ? ['test', '-c'] : ['build']),
    '-mod=readonly',
    '-trimpath',
    '-ldflags',
    LINKER_FLAGS,
    '-o',
    output,
    program.package,
  ];
}
