// The release of Kubernetes whose behaviour every part shows: said by /version, nodes, OpenAPI and the command line.

export const KUBERNETES_VERSION = 'v1.36.3';
