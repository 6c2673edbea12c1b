// The probe as a program of its own: a request on stdin, the result on stdout. The agent starts it inside a pod's network namespace,
// so it loads little: it has to be there at once.
import { readFileSync } from 'node:fs';
import { SystemClock } from '#base/clock.ts';
import type { ProbeRequest } from '#why/probe/result.ts';
import { runProbe } from '#why/probe/run-probe.ts';
import { localProbeDeps } from './probe-deps.ts';

const STDIN = 0;
const request = JSON.parse(readFileSync(STDIN, 'utf8')) as ProbeRequest;
const result = await runProbe(request, localProbeDeps(new SystemClock()));
process.stdout.write(JSON.stringify(result), () => process.exit());
