// Recognizes a running port-forward by its command line.
import type { Forward } from '../facts.ts';

/** `kubectl … port-forward … TARGET [LOCAL:]REMOTE …` and `coracle connect`; nothing for other programs. */
export function parseForward(
  pid: number,
  words: readonly string[],
  startedMs?: number,
  /** Ports on which the process listens: with `:REMOTE` the system chose one. */
  listening: () => readonly number[] = () => [],
): readonly Forward[] {
  const verb = words.findIndex((w) => w === 'port-forward');
  if (verb < 0 || !words.slice(0, verb).some((w) => /(^|\/)(kubectl|oc|k3s|microk8s)$/.test(w))) return [];
  const rest: string[] = [];
  let namespace: string | undefined;
  for (let i = 1; i < words.length; i++) {
    const word = words[i]!;
    const value = /^(?:-n|--namespace)=?(.*)$/.exec(word);
    if (value !== null) namespace = value[1] === '' ? words[++i] : value[1];
    else if (
      /^(--context|--kubeconfig|--address|--cluster|--user|-s|--server|--token|--pod-running-timeout|-v)$/.test(word)
    )
      i++;
    else if (!word.startsWith('-') && word !== '' && i !== verb) rest.push(word);
  }
  const at = rest.findIndex((w) => !/^\d*:?\d/.test(w) && !/(^|\/)(kubectl|oc)$/.test(w));
  const target = rest[at];
  if (target === undefined) return [];
  return rest.slice(at + 1).flatMap((pair) => {
    const match = /^(?:(\d*):)?([\w-]+)$/.exec(pair);
    if (match === null) return [];
    const remotePort = match[2]!;
    const chosen = match[1] === '' ? listening()[0] : Number(match[1]);
    const localPort = match[1] === undefined ? Number(remotePort) : (chosen ?? 0);
    if (!Number.isInteger(localPort) || localPort === 0) return [];
    const ref = target.includes('/') ? target : `pod/${target}`;
    return [{ pid, namespace, target: ref, localPort, remotePort, ...(startedMs === undefined ? {} : { startedMs }) }];
  });
}
