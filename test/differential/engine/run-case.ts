// Runs one case against one server: makes its namespace, sends its requests in order, and gives back what is compared.
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { CORE_SCHEMA, load } from 'js-yaml';
import { PROTOBUF, ProtobufReader } from '#apiserver/protobuf.ts';
import type { DiffCase, DiffRequest } from '../case.ts';
import type { Asker, OpenAnswer, RawAnswer, Sent } from './asker.ts';
import { Normaliser } from './normalise.ts';

/** What is compared of one answer, normalised. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON as a value, protobuf decoded, everything else as text. */
  readonly body?: unknown;
  /** Of a watch. */
  readonly events?: readonly unknown[];
}

/**
 * Headers that clients act upon. Audit-Id and the two of priority and fairness are on every answer of the original and read by nobody but
 * people, so that they are compared in cases of their own (`alsoHeaders`); Date and Content-Length say nothing that the body does not.
 */
const HEADERS = ['content-type', 'warning', 'retry-after', 'allow', 'location', 'cache-control', 'etag', 'vary'];
/** Random or hashed: only whether it is there. */
const BY_PRESENCE = new Set([
  'audit-id',
  'x-kubernetes-pf-flowschema-uid',
  'x-kubernetes-pf-prioritylevel-uid',
  'etag',
  'date',
]);
/** Without a better word of the case: how long a watch waits for an event that does not come. */
const QUIET_MS = 1_500;
/** For `retryUntil`: eight seconds, since the original takes one on an idle machine. */
const RETRY_MS = 200;
const RETRIES = 40;

export interface Words {
  readonly ns: string;
  readonly id: string;
}

/** The same on every server, so that answers need no replacing. */
export function wordsOf(id: string): Words {
  const hash = createHash('sha1').update(id).digest('hex').slice(0, 8);
  return { ns: `ns-${hash}`, id: `id-${hash}` };
}

/** Whoever changes what a case sends makes its record stale. */
export const hashOf = (diffCase: DiffCase): string =>
  createHash('sha1').update(JSON.stringify(diffCase.requests)).digest('base64url').slice(0, 12);

interface Seen {
  readonly resourceVersion: string;
  readonly uid: string;
  readonly continue: string;
}

const nothingSeen: Seen = { resourceVersion: '', uid: '', continue: '' };
let protobuf: ProtobufReader | undefined;

/** Answers of the requests that are not set-up, those of a watch's own requests behind it. */
export async function runCase(asker: Asker, host: string, diffCase: DiffCase): Promise<Answer[]> {
  protobuf ??= await ProtobufReader.load();
  const text = JSON.stringify(diffCase.requests);
  const words = wordsOf(diffCase.id);
  if (text.includes('{ns}')) await makeNamespace(asker, words.ns, text.includes('/pods'));
  const run = new CaseRun(asker, words, new Normaliser({ nowMs: () => Date.now(), host, sent: text }));
  for (const request of diffCase.requests) await run.send(request);
  return run.answers;
}

/** What controllers would give a namespace, as far as creating pods needs it. */
async function makeNamespace(asker: Asker, name: string, withAccount: boolean): Promise<void> {
  const create = async (path: string, object: object) => {
    const { status, body } = await asker.ask({
      method: 'POST',
      path,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(object),
    });
    if (status !== 201) throw new Error(`POST ${path}: ${status} ${body.toString('utf8')}`);
  };
  await create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  if (!withAccount) return;
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
  await create(`/api/v1/namespaces/${name}/serviceaccounts`, account);
}

class CaseRun {
  readonly answers: Answer[] = [];
  readonly #asker: Asker;
  readonly #words: Words;
  readonly #normaliser: Normaliser;
  /** By number of the request. */
  readonly #seen: Seen[] = [];

  constructor(asker: Asker, words: Words, normaliser: Normaliser) {
    this.#asker = asker;
    this.#words = words;
    this.#normaliser = normaliser;
  }

  async send(request: DiffRequest): Promise<void> {
    const sent = this.#sent(request);
    const place = this.#seen.push(nothingSeen) - 1;
    if (request.watch !== undefined) {
      await this.#watch(request, sent);
      return;
    }
    let raw = await this.#asker.ask(sent);
    for (let tries = 0; request.retryUntil !== undefined && raw.status !== request.retryUntil; tries++) {
      if (tries >= RETRIES) throw new Error(`${sent.method} ${sent.path} never answered ${request.retryUntil}`);
      await delay(RETRY_MS);
      raw = await this.#asker.ask(sent);
    }
    this.#seen[place] = seenIn(raw);
    const answer = this.#answer(request, raw);
    if (request.isSetUp !== true) this.answers.push(answer);
  }

  async #watch(request: DiffRequest, sent: Sent): Promise<void> {
    const open = await this.#asker.open(sent);
    const place = this.answers.length;
    this.answers.push({ status: open.status, headers: {} });
    if (open.status !== 200) {
      const body = await restOf(open);
      this.answers[place] = this.#answer(request, { status: open.status, headers: open.headers, body });
      for (const during of request.watch!.whileDoing ?? []) await this.send(during);
      return;
    }
    const watch = { ...request.watch!, until: this.#filled(request.watch!.until ?? '') };
    const events = new EventLines(open, watch.quietMs ?? QUIET_MS);
    const { beginsAfter } = watch;
    if (beginsAfter !== undefined) await events.read((line) => line.includes(beginsAfter));
    for (const during of watch.whileDoing ?? []) await this.send(during);
    const lines = await events.read(
      (line) => events.lines.length >= watch.events || (watch.until !== '' && line.includes(watch.until)),
      watch.events === 0,
    );
    open.close();
    this.answers[place] = {
      status: open.status,
      headers: headersOf(request, open.headers),
      events: lines.map((line) => this.#normaliser.json(line)),
    };
  }

  #answer(request: DiffRequest, raw: RawAnswer): Answer {
    return {
      status: raw.status,
      headers: headersOf(request, raw.headers),
      ...(raw.body.length === 0 ? {} : { body: this.#body(request, raw) }),
    };
  }

  #body(request: DiffRequest, raw: RawAnswer): unknown {
    const type = raw.headers['content-type'] ?? '';
    if (type.startsWith(PROTOBUF)) {
      try {
        const text = Buffer.from(protobuf!.toJson(raw.body)).toString('utf8');
        return this.#normaliser.json(text);
      } catch {
        // A message that the descriptors do not have (tables): that there is one is all that can be said.
        return '<protobuf>';
      }
    }
    const text = raw.body.toString('utf8');
    // Layout of YAML is the writer's; what it says is not.
    if (type.startsWith('application/yaml'))
      return this.#normaliser.json(JSON.stringify(load(text, { schema: CORE_SCHEMA }) ?? null));
    if (!type.startsWith('application/json')) return text;
    return this.#normaliser.json(text, request.path === '/version' ? 'version.Info' : undefined);
  }

  #sent(request: DiffRequest): Sent {
    const { body } = request;
    const json = 'application/json';
    const headers: Record<string, string> = { accept: json };
    if (body !== undefined) headers['content-type'] = json;
    for (const [name, value] of Object.entries(request.headers ?? {})) {
      if (value === '') delete headers[name.toLowerCase()];
      else headers[name.toLowerCase()] = this.#filled(value);
    }
    return {
      method: request.method,
      path: this.#filled(request.path),
      headers,
      ...(body === undefined ? {} : { body: this.#filled(typeof body === 'string' ? body : JSON.stringify(body)) }),
    };
  }

  #filled(text: string): string {
    if (!text.includes('{')) return text;
    return text.replace(/\{(ns|id)\}|\{(rv|uid|continue):(\d+)\}/g, (_all, word, of, number) => {
      if (word !== undefined) return this.#words[word as 'ns' | 'id'];
      const seen = this.#seen[Number(number)] ?? nothingSeen;
      return of === 'rv' ? seen.resourceVersion : of === 'uid' ? seen.uid : encodeURIComponent(seen.continue);
    });
  }
}

async function restOf(open: OpenAnswer): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (;;) {
    const piece = await open.next(QUIET_MS);
    if (piece === undefined || piece === 'quiet') return Buffer.concat(pieces);
    pieces.push(piece);
  }
}

/** A bookmark that a clock has sent; the one behind the initial events is part of the answer. */
const isTimed = (line: string): boolean =>
  line.startsWith('{"type":"BOOKMARK"') && !line.includes('"k8s.io/initial-events-end":"true"');

/** Events as they come, one JSON document a line. */
class EventLines {
  readonly lines: string[] = [];
  readonly #open: OpenAnswer;
  readonly #quietMs: number;
  #rest = '';

  constructor(open: OpenAnswer, quietMs: number) {
    this.#open = open;
    this.#quietMs = quietMs;
  }

  /** Reads until the last line is one that was waited for, the end, or until nothing comes. All lines so far. */
  async read(isLast: (line: string) => boolean, isEnough = false): Promise<string[]> {
    if (isEnough) return this.lines;
    for (;;) {
      for (let end = this.#rest.indexOf('\n'); end >= 0; end = this.#rest.indexOf('\n')) {
        const line = Buffer.from(this.#rest.slice(0, end), 'latin1').toString('utf8');
        this.#rest = this.#rest.slice(end + 1);
        if (line.trim() === '' || isTimed(line)) continue;
        this.lines.push(line);
        if (isLast(line)) return this.lines;
      }
      const piece = await this.#open.next(this.#quietMs);
      if (piece === undefined || piece === 'quiet') return this.lines;
      this.#rest += piece.toString('latin1');
    }
  }
}

function headersOf(request: DiffRequest, headers: Readonly<Record<string, string>>): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name of [...HEADERS, ...(request.alsoHeaders ?? [])]) {
    const value = headers[name];
    if (value !== undefined) out[name] = BY_PRESENCE.has(name) ? '<present>' : value;
  }
  return out;
}

function seenIn(raw: RawAnswer): Seen {
  if (!(raw.headers['content-type'] ?? '').startsWith('application/json')) return nothingSeen;
  try {
    const value = JSON.parse(raw.body.toString('utf8')) as {
      metadata?: Partial<Record<keyof Seen, string>>;
      details?: { uid?: string };
    };
    return {
      resourceVersion: value.metadata?.resourceVersion ?? '',
      uid: value.metadata?.uid ?? value.details?.uid ?? '',
      continue: value.metadata?.continue ?? '',
    };
  } catch {
    return nothingSeen;
  }
}
