// What `npm run reference` builds of metrics-server: a module of its own, since its releases are not those of Kubernetes. The
// libraries of Kubernetes are pinned to the reference's release, so they are compiled once for both.

//go:build programs

package programs

import (
	_ "sigs.k8s.io/metrics-server/cmd/metrics-server"
)
