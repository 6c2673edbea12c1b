// The closed list of causes. Codes are stable: scripts and docs/why.md match on them, and `coracle why --explain CODE` prints a row.
import type { LinkName } from './report.ts';

export interface CodeDescription {
  readonly code: string;
  readonly link: LinkName;
  /** What the client shows. */
  readonly symptom: string;
  /** Why that is so. */
  readonly reason: string;
  /** How it is mended in general; a report has the text for the case. */
  readonly cure: string;
}

const row = (link: LinkName, code: string, symptom: string, reason: string, cure: string): CodeDescription => ({
  code,
  link,
  symptom,
  reason,
  cure,
});

/** In the order of the chain; within a link in the order in which they are looked for. */
export const CODES = [
  row(
    'position',
    'PodIPFromOutside',
    'The connection hangs until it times out.',
    'Pod addresses exist on the network between the nodes only; nothing outside has a route to them, and they change with every restart.',
    'Forward a port (`kubectl port-forward`, `coracle connect`), or give the Service a node port or a load balancer.',
  ),
  row(
    'position',
    'ClusterIPFromOutside',
    'The connection hangs until it times out.',
    'A cluster IP belongs to no interface: it is a rule on every node, and outside there is neither the rule nor a route.',
    'Forward a port to the Service, or make it a NodePort or LoadBalancer Service.',
  ),
  row(
    'position',
    'ClusterDNSNameFromOutside',
    '"could not translate host name", "Name or service not known".',
    'Names of Services and pods are answered by the cluster’s DNS, which only clients inside ask. A pod with dnsPolicy Default asks the node’s resolver.',
    'Outside: forward a port and use localhost. In a pod: dnsPolicy ClusterFirst (ClusterFirstWithHostNet with hostNetwork).',
  ),
  row(
    'position',
    'ForwardDenied',
    '"Forbidden: pods/portforward" from kubectl, and nothing listens on the local port.',
    'Port-forward is its own permission: create on pods/portforward (and get on pods) in the namespace of the pod.',
    'Have the Role and RoleBinding of the report applied by someone who may grant them.',
  ),
  row(
    'position',
    'ForwardPodGone',
    'The local port refuses, or accepts and closes at once: "lost connection to pod".',
    'A port-forward is bound to the pod that it began with; a Service is only looked up at the start. That pod is gone.',
    'Start the port-forward again, or use `coracle connect`, which goes on with the next pod.',
  ),
  row(
    'position',
    'ForwardBypassesPolicy',
    'It works through the forward and for no pod, or the policy seems to do nothing.',
    'A forwarded connection enters the pod through its node’s kubelet, not over the pod network: no NetworkPolicy sees it.',
    'Treat the permission pods/portforward as access to the database; for other clients write a NetworkPolicy that allows them.',
  ),
  row(
    'name',
    'NameNotFound',
    '"Name or service not known", NXDOMAIN.',
    'No Service, pod name or outside host of that name exists; most often it is misspelt, or a part of namespace.svc.cluster.local is missing.',
    'Use the name that the report found nearest.',
  ),
  row(
    'name',
    'NameInOtherNamespace',
    '"Name or service not known" for a Service that exists.',
    'A short name is looked up in the client’s own namespace. The Service is in another one.',
    'Add the namespace: NAME.NAMESPACE.',
  ),
  row(
    'name',
    'NamePointsElsewhere',
    'Timeouts, or a wrong server answers.',
    'The name resolves, but not to the Service that it seems to mean: hostAliases, an ExternalName, endpoints written by hand, or a search domain comes first.',
    'Mend the entry that the report names.',
  ),
  row(
    'name',
    'DNSUnreachable',
    '"Temporary failure in name resolution", after seconds.',
    'The DNS server of the client’s resolv.conf does not answer: its pods are not ready, or the address is nobody’s.',
    'Mend the DNS server, or the nameserver entry of the pod.',
  ),
  row(
    'name',
    'DNSDeniedByPolicy',
    '"Temporary failure in name resolution", after seconds, for all names.',
    'A NetworkPolicy isolates the client for egress and does not allow port 53 to the cluster’s DNS.',
    'Allow UDP and TCP 53 to the pods labelled k8s-app=kube-dns.',
  ),
  row(
    'address',
    'PodIPStale',
    'It worked, and times out or is unreachable since a restart.',
    'The address was a pod’s. Pods get a new one with every restart, and this one is nobody’s now.',
    'Use the name of the Service in front of the pod.',
  ),
  row(
    'address',
    'PodIPReused',
    'Refused, or a wrong server answers, since a restart.',
    'The address was a database pod’s and has been given to another pod since.',
    'Use the name of the Service in front of the pod.',
  ),
  row(
    'route',
    'RouteMissing',
    '"No route to host", or a timeout between two nodes only.',
    'The node has no route to the pod range of the other node.',
    'Restore the route of the report; if it goes again, look at the pod network’s log.',
  ),
  row(
    'route',
    'TunnelBroken',
    'Pods of one node reach each other and none of the others.',
    'The VXLAN device between the nodes is down or has no entry for the other node.',
    'Set the device up, or restart the node’s agent, which writes its entries anew.',
  ),
  row(
    'route',
    'HostFirewall',
    'A timeout or "refused" between nodes, or from the laptop.',
    'A rule on a node that is not the cluster’s drops the packets; the report names table, chain and rule, and its counter grew by the probe.',
    'Delete the rule, or let the cluster’s ranges through before it.',
  ),
  row(
    'route',
    'ConnectionTrackingFull',
    'New connections time out at random while old ones work.',
    'The node’s connection tracking table is full; the kernel drops what it cannot track.',
    'Raise net.netfilter.nf_conntrack_max, and find who holds so many connections.',
  ),
  row(
    'route',
    'MTUTooSmall',
    'It connects and hangs with the first large answer or the TLS handshake.',
    'A link on the way carries smaller packets than the pods send, and nobody tells them.',
    'Give the pod network an MTU that fits: the node link’s, less 50 bytes with VXLAN.',
  ),
  row(
    'service',
    'ServicePortMissing',
    'A timeout or "refused" at a Service that works on another port.',
    'A Service forwards the ports of spec.ports and no other.',
    'Connect to a port that the Service has, or add the port.',
  ),
  row(
    'service',
    'NodePortOutOfRange',
    'Refused at every node.',
    'No Service has this node port; node ports are 30000 to 32767 unless the server is told otherwise, and containerPort opens nothing on a node.',
    'Connect to the Service’s node port, or give it the wanted one within the range.',
  ),
  row(
    'service',
    'HeadlessHasNoPort',
    'Refused at a headless Service, though another port of the same name works.',
    'A headless Service has no address of its own: the name gives the pods’ addresses, and targetPort translates nothing.',
    'Connect to the port on which the pods listen.',
  ),
  row(
    'endpoint',
    'SelectorMatchesNothing',
    'Refused at once.',
    'No pod of the namespace has all labels of the Service’s selector.',
    'Set the selector to the labels of the pods that are meant.',
  ),
  row(
    'endpoint',
    'NoReadyEndpoints',
    'Refused at once.',
    'The selected pods run, but none passes its readiness probe, and only ready pods get connections.',
    'Mend the readiness probe, or what it says about the program.',
  ),
  row(
    'endpoint',
    'TargetPortMismatch',
    'Refused, through the Service only.',
    'The Service’s targetPort is not the port on which the pods listen, or names a port that no container has.',
    'Set targetPort to the pods’ port.',
  ),
  row(
    'endpoint',
    'RulesNotProgrammed',
    'Refused or a timeout from one node, though the Service has ready endpoints.',
    'The node’s kernel does not have the Service’s endpoints: its service proxy is down or behind.',
    'Restart the service proxy of that node (Coracle: its agent).',
  ),
  row(
    'endpoint',
    'NoLocalEndpoint',
    'A timeout at one node’s address, or from pods of one node.',
    'The traffic policy is Local, and no ready endpoint is on that node.',
    'Set the policy to Cluster, connect to a node that has an endpoint, or run a pod on each.',
  ),
  row(
    'egress-policy',
    'EgressDenied',
    'A timeout at everything but what is allowed.',
    'A NetworkPolicy isolates the client’s pod for egress, and none allows this peer and port.',
    'Add the NetworkPolicy of the report: exactly this peer and port.',
  ),
  row(
    'egress-policy',
    'PolicyNotEnforced',
    'It connects although a NetworkPolicy forbids it.',
    'The policy is written and nobody enforces it: the pod network has no policy support, it is switched off, or the client uses the host’s network.',
    'Use a pod network that enforces policies; do not rely on this one.',
  ),
  row(
    'load-balancer',
    'LoadBalancerPending',
    'There is no address to connect to: EXTERNAL-IP is <pending>.',
    'Nobody gives this Service an address: no load balancer serves its class, or no address is left.',
    'Clear or correct spec.loadBalancerClass; without a load balancer use a node port.',
  ),
  row(
    'load-balancer',
    'SourceRangeDenied',
    'A timeout from outside.',
    'loadBalancerSourceRanges does not contain the client’s address.',
    'Add the client’s range.',
  ),
  row(
    'load-balancer',
    'HealthCheckBlocked',
    'A timeout at the load balancer’s address while the pods are ready.',
    'With externalTrafficPolicy Local the load balancer asks each node’s health check port, and gets no answer.',
    'Let the load balancer reach healthCheckNodePort on the nodes.',
  ),
  row(
    'load-balancer',
    'IngressNotHTTP',
    'The connection opens, and the client says that it got nonsense.',
    'An Ingress routes HTTP by host and path. It will not route Postgres or any other protocol.',
    'Use a LoadBalancer Service, or port-forward.',
  ),
  row(
    'load-balancer',
    'IngressNoRoute',
    'HTTP 404 from the proxy.',
    'No rule of the Ingress matches this host and path, or no controller serves its class.',
    'Add the host or path, or set ingressClassName to a class that exists.',
  ),
  row(
    'load-balancer',
    'IngressBackendMissing',
    'HTTP 503 from the proxy.',
    'The rule’s backend names a Service, or a port of it, that is not there.',
    'Name the Service and port that exist.',
  ),
  row(
    'load-balancer',
    'IngressTLSSecretMissing',
    'A certificate for another name, or none.',
    'spec.tls names a Secret that is not there or is no certificate.',
    'Create the Secret of type kubernetes.io/tls.',
  ),
  row(
    'ingress-policy',
    'IngressDenied',
    'A timeout.',
    'A NetworkPolicy isolates the server’s pod for ingress, and none allows this peer and port.',
    'Add the NetworkPolicy of the report: exactly this peer and port.',
  ),
  row(
    'pod',
    'PodPending',
    'Refused at the Service; the pod has no node.',
    'The scheduler finds no node for the pod, or its start waits for something; its own words are in the report.',
    'Change what the scheduler names: requests, selector, taints, claims.',
  ),
  row(
    'pod',
    'ImagePullFailed',
    'Refused at the Service; ImagePullBackOff.',
    'The image does not exist under that name, or the registry does not hand it out.',
    'Set an image that exists, or give the pod the pull secret.',
  ),
  row(
    'pod',
    'CrashLoopBackOff',
    'Refused; the pod restarts again and again.',
    'The program ends soon after its start; its last words are in the report.',
    'Mend what the log says.',
  ),
  row(
    'pod',
    'PodTerminating',
    'Refused; it worked a moment ago.',
    'The pod is being deleted and no other has taken its place, or it is kept by a finalizer or a long grace.',
    'Wait for its successor, or delete what holds it.',
  ),
  row(
    'pod',
    'PodNotReady',
    'The pod’s own name does not resolve, or its Service leaves it out.',
    'This one pod is meant, and it is not ready: by its readiness probe, a readiness gate or its lost node.',
    'Mend the pod; or publishNotReadyAddresses where peers must find each other before they are ready.',
  ),
  row(
    'listener',
    'NothingListening',
    'Refused at once.',
    'The pod runs and no program in it listens on the port.',
    'Start the server, or connect to the port that it uses.',
  ),
  row(
    'listener',
    'ListenerOnLoopback',
    'Refused from everywhere, fine by kubectl exec.',
    'The server listens on 127.0.0.1 only: nothing that comes over the network reaches it.',
    'Let it listen on all addresses (listen_addresses=*, bind 0.0.0.0).',
  ),
  row(
    'listener',
    'ListenerOtherPort',
    'Refused at once.',
    'The server listens on another port than the one connected to.',
    'Connect to that port, or set it in the Service or the server.',
  ),
  row(
    'listener',
    'ListenerOtherFamily',
    'Refused over one of IPv4 and IPv6.',
    'The server listens on the other address family only.',
    'Let it listen on both, or connect by the family that it has.',
  ),
  row(
    'listener',
    'PoolerUpstreamBroken',
    'The pooler accepts and then says "server login failed", or hangs.',
    'The pooler works; it cannot reach the database behind it, for the reason that the report gives.',
    'Mend the upstream’s own cause.',
  ),
  row(
    'tls',
    'TLSRequiredByServer',
    '"no encryption", "SSL required", or the server closes without a word.',
    'The server accepts encrypted connections only, and the client does not ask for one.',
    'Connect with TLS: sslmode=require or stricter, https, rediss.',
  ),
  row(
    'tls',
    'TLSNotOffered',
    '"server does not support SSL, but SSL was required".',
    'The client demands TLS and the server has none.',
    'Switch TLS on in the server; or, where the network is trusted, do not demand it.',
  ),
  row(
    'tls',
    'TLSNameMismatch',
    '"server certificate for … does not match host name".',
    'The certificate does not carry the name by which the client connects.',
    'Connect by a name of the certificate, or issue one with this name.',
  ),
  row(
    'tls',
    'TLSUntrusted',
    '"certificate verify failed: self-signed certificate", "unable to get local issuer".',
    'The client does not know the authority that signed the server’s certificate.',
    'Give the client the authority’s certificate (sslrootcert and its like).',
  ),
  row(
    'tls',
    'TLSExpired',
    '"certificate has expired", "certificate is not yet valid".',
    'The certificate is outside its dates.',
    'Renew it and let the server load it.',
  ),
  row(
    'tls',
    'TLSClientCertificateRequired',
    '"certificate required", "connection requires a valid client certificate".',
    'The server wants a certificate of the client, and none was given.',
    'Give the client its certificate and key.',
  ),
  row(
    'handshake',
    'PgHbaRejected',
    '"no pg_hba.conf entry for host …", "pg_hba.conf rejects connection".',
    'Postgres’ own access list has no line for this address, user, database and encryption, or one that rejects.',
    'Add the line of the report to pg_hba.conf and reload.',
  ),
  row(
    'handshake',
    'WrongProtocol',
    'Nonsense, a protocol error, or the connection is closed.',
    'Another kind of server answers on this port.',
    'Connect to the port of the server that is meant.',
  ),
  row(
    'handshake',
    'ServerStarting',
    '"the database system is starting up", "LOADING".',
    'The server is there and not yet, or no longer, ready for clients.',
    'Wait; if it lasts, read the server’s log.',
  ),
  row(
    'handshake',
    'TooManyConnections',
    '"sorry, too many clients already", "Too many connections".',
    'All connections that the server allows are taken.',
    'Put a pooler in front, end idle sessions, or raise the limit.',
  ),
  row(
    'authentication',
    'AuthenticationFailed',
    '"password authentication failed", "Access denied", "WRONGPASS".',
    'The server knows the client’s address and does not accept these credentials.',
    'Use the password that the server was initialised with, or set it anew.',
  ),
  row(
    'authentication',
    'RoleMissing',
    '"role … does not exist".',
    'The server has no such user.',
    'Create it, or use one that exists.',
  ),
  row(
    'authentication',
    'WorksByExecOnly',
    'kubectl exec … psql works without a password, the same from elsewhere does not.',
    'The server trusts its own localhost; that says nothing about clients that come over the network.',
    'Test from a client pod; do not loosen the server’s list to match.',
  ),
  row(
    'database',
    'DatabaseMissing',
    '"database … does not exist", "Unknown database".',
    'The server works and has no database of that name.',
    'Create it, or use one that exists.',
  ),
  row(
    'database',
    'ReadOnlyReplica',
    '"cannot execute … in a read-only transaction".',
    'The connection reached a standby, which takes no writes.',
    'Connect to the primary’s own name.',
  ),
  row(
    'storage',
    'ClaimMissing',
    'The pod stays Pending.',
    'The pod mounts a PersistentVolumeClaim that does not exist.',
    'Create the claim.',
  ),
  row(
    'storage',
    'ClaimPending',
    'The pod stays Pending.',
    'The claim has no volume: its storage class does not exist or does not provide one, or no volume fits.',
    'Name a storage class that exists.',
  ),
  row(
    'storage',
    'MultiAttach',
    'The new pod stays in ContainerCreating; "Multi-Attach error".',
    'The volume can be used on one node at a time, and a pod on another node still holds it.',
    'End the pod that holds it; a Deployment with a ReadWriteOnce claim needs strategy Recreate.',
  ),
  row(
    'storage',
    'DataNotPersistent',
    'The tables are empty after a restart.',
    'The data directory is the container’s own or an emptyDir: it ends with the pod.',
    'Mount a PersistentVolumeClaim at the data directory, in a StatefulSet.',
  ),
  row(
    'storage',
    'DataBesideMount',
    'The tables are empty after a restart, though there is a claim.',
    'A claim is mounted, but the server keeps its data in another directory.',
    'Mount the claim where the data are, or point the server (PGDATA) into it.',
  ),
] as const satisfies readonly CodeDescription[];

export type Code = (typeof CODES)[number]['code'];

export function describeCode(code: string): CodeDescription | undefined {
  return CODES.find((c) => c.code.toLowerCase() === code.toLowerCase());
}

export function linkOf(code: Code): LinkName {
  return CODES.find((c) => c.code === code)!.link;
}

/** A row as Markdown; docs/why.md consists of these. */
export function formatCode({ code, link, symptom, reason, cure }: CodeDescription): string {
  return `### ${code}\n\nLink: ${link}\n\n- Symptom: ${symptom}\n- Reason: ${reason}\n- Cure: ${cure}\n`;
}
