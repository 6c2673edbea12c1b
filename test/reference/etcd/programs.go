// What `npm run reference` builds of etcd: a module of its own, since its dependencies are not those of Kubernetes.

//go:build programs

package programs

import (
	_ "go.etcd.io/etcd/etcdctl/v3"
	_ "go.etcd.io/etcd/server/v3"
)
