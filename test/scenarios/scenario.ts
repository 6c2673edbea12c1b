// What a scenario is: a set-up that is really broken (or only looks it) in a namespace of its own, the ordinary client that shows it, and
// what `coracle why` has to say. Names, ports and labels come from the run's seed.
import type { World } from './world.ts';

/** A command that a user would run to see whether the connection works. */
export interface Client {
  /** A pod of the scenario's namespace (or NAMESPACE/POD), `deploy/NAME` or `sts/NAME` of it, `node/NAME`, or this machine. */
  readonly on: string | 'laptop';
  readonly command: readonly string[];
  /** Its output when it works; default: exit code 0 is enough. */
  readonly works?: RegExp;
}

export interface Expected {
  readonly code: string;
  readonly kind?: string;
  readonly name?: string;
  /** The field of the object, or a pattern of it. */
  readonly field?: string | RegExp;
}

/** One set-up, ready to be looked at. */
export interface Situation {
  /** Arguments of `coracle why`, target first. */
  readonly why: readonly string[];
  readonly client: Client;
  /** What the client shows while it is broken. */
  readonly symptom?: RegExp;
  /** Absent: healthy, the verdict is ok. */
  readonly expected?: Expected;
  /** A second fault, which the report names too: as cause or among alsoBroken. */
  readonly also?: Expected;
  /** A healthy connection that deserves this warning. */
  readonly warning?: Expected;
  /** How the client connects once the cure is pasted, when not in the same way (a forward ends on localhost). */
  readonly afterCure?: Client;
  /** What the cures say, among them: for a note, which the client of afterCure follows. */
  readonly cureSays?: RegExp;
  /** Why pasting does not mend this one (a note is all there can be); then the client is not tried again. */
  readonly incurable?: string;
  /** Variables of the shell that cures are pasted into. */
  readonly shell?: Readonly<Record<string, string>>;
  /** What was changed outside the namespace is put back. */
  readonly restore?: () => Promise<void>;
}

export interface Scenario {
  /** The code that is expected, or `healthy`. */
  readonly code: string;
  /** Unique among its code's. */
  readonly title: string;
  /** Touches what others share (a node, the laptop's ports): runs alone. */
  readonly alone?: boolean;
  /** Needs a cluster that was brought up with these options. */
  readonly up?: readonly string[];
  readonly make: (world: World) => Promise<Situation>;
}
