// What /version says: the Kubernetes version whose behaviour is offered. kubectl and the conformance suite read it.
import { KUBERNETES_VERSION } from '#machinery/version.ts';

export interface VersionInfo {
  readonly major: string;
  readonly minor: string;
  readonly emulationMajor: string;
  readonly emulationMinor: string;
  readonly minCompatibilityMajor: string;
  readonly minCompatibilityMinor: string;
  readonly gitVersion: string;
  readonly gitCommit: string;
  readonly gitTreeState: string;
  readonly buildDate: string;
  readonly goVersion: string;
  readonly compiler: string;
  readonly platform: string;
}

/** `gitVersion` must parse as a semantic version. `platform` as Go writes it: `linux/amd64`. */
export function versionInfo(options: {
  readonly gitVersion?: string;
  readonly gitCommit?: string;
  readonly buildDate?: string;
  readonly platform: string;
  readonly runtime: string;
}): VersionInfo {
  return {
    major: '1',
    minor: '36',
    emulationMajor: '1',
    emulationMinor: '36',
    minCompatibilityMajor: '1',
    minCompatibilityMinor: '35',
    gitVersion: options.gitVersion ?? KUBERNETES_VERSION,
    gitCommit: options.gitCommit ?? '',
    gitTreeState: 'clean',
    buildDate: options.buildDate ?? '1970-01-01T00:00:00Z',
    goVersion: options.runtime,
    compiler: 'v8',
    platform: options.platform,
  };
}
