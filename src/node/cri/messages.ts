// The CRI v1 messages the kubelet uses, as plain objects: enums are their names, 64-bit integers are numbers. Shapes follow
// generated/cri-v1.json; fields nobody here reads are left out.

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

export interface PodSandboxMetadata {
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly attempt: number;
}

export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET';

/** `length` ids from `containerId` on are those from `hostId` on outside. */
export interface IdMapping {
  readonly hostId: number;
  readonly containerId: number;
  readonly length: number;
}

export interface UserNamespace {
  readonly mode: 'POD' | 'NODE';
  readonly uids?: readonly IdMapping[];
  readonly gids?: readonly IdMapping[];
}

export interface NamespaceOption {
  readonly network: NamespaceMode;
  readonly pid: NamespaceMode;
  readonly ipc: NamespaceMode;
  readonly targetId?: string;
  readonly usernsOptions?: UserNamespace;
}

/** What a runtime says of itself; one older than a feature says nothing of it. */
export interface RuntimeStatus {
  readonly conditions: readonly {
    readonly type: string;
    readonly status: boolean;
    readonly reason: string;
    readonly message: string;
  }[];
  readonly runtimeHandlers: readonly {
    readonly name: string;
    readonly features?: { readonly recursiveReadOnlyMounts: boolean; readonly userNamespaces: boolean };
  }[];
  readonly features?: { readonly supplementalGroupsPolicy: boolean };
}

export interface SecurityProfile {
  readonly profileType: 'RuntimeDefault' | 'Unconfined' | 'Localhost';
  readonly localhostRef?: string;
}

export interface Int64Value {
  readonly value: number;
}

export interface LinuxSandboxSecurityContext {
  readonly namespaceOptions: NamespaceOption;
  readonly runAsUser?: Int64Value;
  readonly runAsGroup?: Int64Value;
  readonly readonlyRootfs?: boolean;
  readonly supplementalGroups?: readonly number[];
  readonly supplementalGroupsPolicy?: 'Merge' | 'Strict';
  readonly privileged?: boolean;
  readonly seccomp?: SecurityProfile;
}

export interface LinuxContainerResources {
  readonly cpuPeriod?: number;
  readonly cpuQuota?: number;
  readonly cpuShares?: number;
  readonly memoryLimitInBytes?: number;
  readonly oomScoreAdj?: number;
}

export interface PodSandboxConfig {
  readonly metadata: PodSandboxMetadata;
  readonly hostname: string;
  readonly logDirectory: string;
  readonly dnsConfig?: {
    readonly servers: readonly string[];
    readonly searches: readonly string[];
    readonly options: readonly string[];
  };
  readonly portMappings?: readonly {
    readonly protocol: string;
    readonly containerPort: number;
    readonly hostPort: number;
    readonly hostIp: string;
  }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly linux: {
    readonly cgroupParent: string;
    readonly securityContext: LinuxSandboxSecurityContext;
    readonly sysctls?: Readonly<Record<string, string>>;
    readonly resources?: LinuxContainerResources;
  };
}

export interface Mount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly?: boolean;
  readonly propagation?: 'PROPAGATION_PRIVATE' | 'PROPAGATION_HOST_TO_CONTAINER' | 'PROPAGATION_BIDIRECTIONAL';
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
  readonly recursiveReadOnly?: boolean;
}

export interface ContainerConfig {
  readonly metadata: { readonly name: string; readonly attempt: number };
  readonly image: { readonly image: string; readonly userSpecifiedImage?: string };
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir?: string;
  readonly envs: readonly KeyValue[];
  readonly mounts: readonly Mount[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Relative to the sandbox's logDirectory. */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly linux: {
    readonly resources: LinuxContainerResources;
    readonly securityContext: {
      readonly capabilities?: {
        readonly addCapabilities: readonly string[];
        readonly dropCapabilities: readonly string[];
      };
      readonly privileged: boolean;
      readonly namespaceOptions: NamespaceOption;
      readonly runAsUser?: Int64Value;
      readonly runAsGroup?: Int64Value;
      /** Used when `runAsUser` is not set. */
      readonly runAsUsername?: string;
      readonly readonlyRootfs: boolean;
      readonly supplementalGroups: readonly number[];
      readonly supplementalGroupsPolicy?: 'Merge' | 'Strict';
      readonly noNewPrivs: boolean;
      readonly maskedPaths?: readonly string[];
      readonly readonlyPaths?: readonly string[];
      readonly seccomp?: SecurityProfile;
    };
  };
}

export interface PodSandbox {
  readonly id: string;
  readonly metadata: PodSandboxMetadata;
  readonly state: 'SANDBOX_READY' | 'SANDBOX_NOTREADY';
  /** Nanoseconds since the epoch. */
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface PodSandboxStatus extends PodSandbox {
  readonly network?: { readonly ip: string; readonly additionalIps: readonly { readonly ip: string }[] };
}

export type ContainerStateName = 'CONTAINER_CREATED' | 'CONTAINER_RUNNING' | 'CONTAINER_EXITED' | 'CONTAINER_UNKNOWN';

export interface ContainerSummary {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: { readonly name: string; readonly attempt: number };
  readonly image: { readonly image: string };
  readonly imageRef: string;
  readonly state: ContainerStateName;
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface RuntimeContainerStatus {
  readonly id: string;
  readonly metadata: { readonly name: string; readonly attempt: number };
  readonly state: ContainerStateName;
  /** Nanoseconds since the epoch; 0 when it has not happened. */
  readonly createdAt: number;
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly exitCode: number;
  readonly image: { readonly image: string };
  readonly imageRef: string;
  readonly imageId?: string;
  readonly reason: string;
  readonly message: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly logPath: string;
  readonly mounts?: readonly Mount[];
  /** Who its first process is; only newer runtimes say. */
  readonly user?: { readonly linux?: ContainerUser | null } | null;
}

export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  readonly supplementalGroups: readonly number[];
}

export interface ContainerEvent {
  readonly containerId: string;
  readonly containerEventType:
    | 'CONTAINER_CREATED_EVENT'
    | 'CONTAINER_STARTED_EVENT'
    | 'CONTAINER_STOPPED_EVENT'
    | 'CONTAINER_DELETED_EVENT';
  readonly podSandboxStatus?: PodSandboxStatus;
  readonly containersStatuses: readonly RuntimeContainerStatus[];
}

export interface Image {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly size: number;
  readonly uid?: Int64Value;
  readonly username: string;
  readonly pinned: boolean;
}

export interface ExecResult {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly exitCode: number;
}

export interface ContainerStats {
  readonly attributes: {
    readonly id: string;
    readonly metadata: { readonly name: string };
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly cpu?: {
    readonly timestamp: number;
    readonly usageCoreNanoSeconds?: Int64Value;
    readonly usageNanoCores?: Int64Value;
  };
  readonly memory?: {
    readonly timestamp: number;
    readonly workingSetBytes?: Int64Value;
    readonly usageBytes?: Int64Value;
    readonly rssBytes?: Int64Value;
    readonly availableBytes?: Int64Value;
    readonly pageFaults?: Int64Value;
    readonly majorPageFaults?: Int64Value;
  };
  readonly writableLayer?: {
    readonly timestamp: number;
    readonly usedBytes?: Int64Value;
    readonly inodesUsed?: Int64Value;
  };
}

export interface AuthConfig {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
  readonly serverAddress?: string;
  readonly identityToken?: string;
  readonly registryToken?: string;
}

export interface StreamRequest {
  readonly containerId: string;
  readonly cmd?: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}
