// The area `kubectl` of the corpus. A case is a step of a script, but a script is typed as a whole and once: the first of its cases that is
// asked starts it, and each step's answer goes to its case.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { AreaDefinition, Asked } from '../engine/area.ts';
import type { DiffServer } from '../engine/server.ts';
import { KubectlWorkshop, type StepAnswer } from './run-scripts.ts';
import { casesOf, type Script } from './script.ts';
import { SCRIPTS } from './scripts.ts';
import { startCoracleWorld, startReferenceWorld, type World } from './worlds.ts';

const PROGRAMS = join(import.meta.dirname, '..', '..', '..', '.cache', 'kubectl');
const KUBECTL = process.env['KUBECTL'] ?? join(PROGRAMS, 'kubectl', 'kubectl');
const HELM = process.env['HELM'] ?? join(PROGRAMS, 'helm', 'helm');
/** Scripts at once: they wait for controllers and the server as much as they compute. */
const AT_ONCE = 6;

/** For a suite's `skip`. */
export const skipWithoutKubectl =
  existsSync(KUBECTL) && existsSync(HELM) ? false : 'kubectl and helm are not unpacked: run ./coracle kubectl version';

export function kubectlArea(): AreaDefinition {
  return {
    name: 'kubectl',
    // All at once: scripts wait for each other by themselves.
    atOnce: Number.MAX_SAFE_INTEGER,
    servers: { reference: startReferenceWorld, coracle: startCoracleWorld },
    ids: async () => SCRIPTS.flatMap(comparedCases),
    async open(server: DiffServer) {
      const workshop = new KubectlWorkshop({
        kubectl: KUBECTL,
        helm: HELM,
        kubeconfig: (server as World).kubeconfig,
        atOnce: AT_ONCE,
      });
      return {
        cases: SCRIPTS.flatMap((script) => askedCases(script, workshop)),
        close: async () => workshop.close(),
      };
    },
  };
}

function askedCases(script: Script, workshop: KubectlWorkshop): readonly Asked[] {
  let typed: Promise<ReadonlyMap<string, StepAnswer>> | undefined;
  return comparedCases(script).map(({ id, hash }) => ({
    id,
    hash,
    ask: async () => {
      const answer = (await (typed ??= workshop.type(script))).get(id);
      if (answer === undefined) throw new Error('the script ended before this step');
      // As answers to requests are: a list of one.
      return [{ code: answer.code, stdout: answer.stdout.split('\n'), stderr: answer.stderr.split('\n') }];
    },
  }));
}

/** What a step prints depends on all that was typed before it, and so does its hash. */
function comparedCases(script: Script): readonly { readonly id: string; readonly hash: string }[] {
  const hash = createHash('sha256').update(JSON.stringify(script.files ?? {}));
  return casesOf(script).flatMap(({ id, step }) => {
    hash.update(JSON.stringify(step, (_, value) => (value instanceof RegExp ? value.source : value)));
    return step.isSetUp === true ? [] : [{ id, hash: hash.copy().digest('hex').slice(0, 12) }];
  });
}
