// /openapi/v3: the index with hashes and one document a group and version; /openapi/v2: one document of all. Made when first
// asked for and kept until what is served changes.
import { createHash } from 'node:crypto';
import type { ExchangeResponse } from '#machinery/exchange.ts';
import { groupVersionPath, openApiV3Document, openApiV3Index } from '#schema/openapi.ts';
import { encodeOpenApiV2, OpenApiV2Builder } from '#schema/openapi-v2.ts';
import { allGroups, noRemoteVersions, type RemoteVersions } from './aggregation/groups.ts';
import type { RequestContext } from './context.ts';
import { parseAccept } from './negotiation.ts';
import type { PathRoute } from './paths.ts';
import { jsonBytes, jsonValue } from './responses.ts';
import { pathNotFound, type ServedResources } from './served.ts';
import { StatusError } from '#machinery/status.ts';

interface Document {
  readonly bytes: Uint8Array;
  readonly hash: string;
}

export class OpenApi implements PathRoute {
  readonly path = '/openapi/v3/';
  readonly #resources: ServedResources;
  readonly #remote: RemoteVersions;
  /** `api/v1`, `apis/apps/v1` → document. */
  #documents = new Map<string, Document>();

  constructor(resources: ServedResources, remote: RemoteVersions = noRemoteVersions) {
    this.#resources = resources;
    this.#remote = remote;
    resources.onChange(() => {
      this.#documents = new Map();
    });
  }

  async serve(context: RequestContext): Promise<ExchangeResponse> {
    const { path } = context.info;
    const { accept } = context.request.headers;
    // The documents also exist as protobuf upstream; every client takes JSON.
    if (
      accept !== undefined &&
      accept !== '' &&
      !parseAccept(accept).some((c) => c.type === 'application/json' || c.type === '*/*' || c.type === 'application/*')
    ) {
      throw StatusError.notAcceptable('only the following media types are accepted: application/json');
    }
    if (path === '/openapi/v3' || path === '/openapi/v3/') return jsonValue(200, await this.#index());
    const wanted = path.slice('/openapi/v3/'.length);
    for (const { group, version, document } of this.#present())
      if (groupVersionPath(group, version).slice(1) === wanted) return this.#show(context, document());
    throw pathNotFound();
  }

  /** All groups and versions that have a document. */
  *#present(): Iterable<{ readonly group: string; readonly version: string; document(): Document }> {
    for (const [group, versions] of allGroups(this.#resources, this.#remote)) {
      for (const { version, remote } of versions) {
        if (remote === undefined) yield { group, version, document: () => this.#document(group, version) };
        else if (remote.openApi !== undefined) yield { group, version, document: () => remote.openApi! };
      }
    }
  }

  #show(context: RequestContext, document: Document): ExchangeResponse {
    const etag = `"${document.hash}"`;
    const caching = {
      etag,
      ...(context.info.query.get('hash') === document.hash ? { 'cache-control': 'public, immutable' } : {}),
    };
    if (context.request.headers['if-none-match'] === etag)
      return { status: 304, headers: caching, body: new Uint8Array(0) };
    const response = jsonBytes(200, document.bytes);
    return { ...response, headers: { ...response.headers, ...caching } };
  }

  async #index(): Promise<unknown> {
    const rows: { group: string; version: string; hash: string }[] = [];
    for (const { group, version, document } of this.#present()) {
      rows.push({ group, version, hash: document().hash });
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return openApiV3Index(rows);
  }

  #document(group: string, version: string): Document {
    return this.#documents.getOrInsertComputed(groupVersionPath(group, version), () => {
      const definitions = [...(this.#resources.groups().get(group)?.get(version)?.values() ?? [])].map(
        (s) => s.definition,
      );
      const bytes = Buffer.from(JSON.stringify(openApiV3Document(group, version, definitions)));
      return { bytes, hash: createHash('sha512').update(bytes).digest('hex').toUpperCase() };
    });
  }
}

/** As clients ask for it: with the at sign the older ones, with the dot the newer. */
const V2_PROTOBUF = [
  'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
  'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
];

export class OpenApiV2 implements PathRoute {
  readonly path = '/openapi/v2';
  readonly #resources: ServedResources;
  readonly #remote: RemoteVersions;
  #document: Promise<{ readonly json: Document; readonly protobuf: Document }> | undefined;

  constructor(resources: ServedResources, remote: RemoteVersions = noRemoteVersions) {
    this.#resources = resources;
    this.#remote = remote;
    const forget = () => {
      this.#document = undefined;
    };
    resources.onChange(forget);
    remote.onChange(forget);
  }

  async serve({ request }: RequestContext): Promise<ExchangeResponse> {
    const { accept = '' } = request.headers;
    const types = accept === '' ? ['*/*'] : parseAccept(accept).map((c) => c.type);
    const type = types.map((t) => mediaOf(t)).find((t) => t !== undefined);
    if (type === undefined) {
      throw StatusError.notAcceptable(
        `only the following media types are accepted: ${['application/json', ...V2_PROTOBUF].join(', ')}`,
      );
    }
    this.#document ??= this.#make();
    const { json, protobuf } = await this.#document;
    const { bytes, hash } = type === 'application/json' ? json : protobuf;
    const etag = `"${hash}"`;
    const headers = { 'content-type': type, etag, vary: 'Accept' };
    if (request.headers['if-none-match'] === etag) return { status: 304, headers, body: new Uint8Array(0) };
    return { status: 200, headers, body: bytes };
  }

  /** Some tens of milliseconds in all: others get their turn in between. */
  async #make() {
    const builder = new OpenApiV2Builder();
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
    for (const [group, versions] of allGroups(this.#resources, this.#remote)) {
      for (const { version, local, remote } of versions) {
        if (remote?.openApi !== undefined) builder.add(JSON.parse(Buffer.from(remote.openApi.bytes).toString('utf8')));
        const definitions = [...local.values()].map((s) => s.definition);
        if (remote === undefined) builder.add(openApiV3Document(group, version, definitions));
        await turn();
      }
    }
    const document = builder.build();
    const json = hashed(Buffer.from(JSON.stringify(document)));
    await turn();
    return { json, protobuf: hashed(encodeOpenApiV2(document)) };
  }
}

function mediaOf(accepted: string): string | undefined {
  if (accepted === 'application/json' || accepted === '*/*' || accepted === 'application/*') return 'application/json';
  return V2_PROTOBUF.includes(accepted) ? V2_PROTOBUF[0] : undefined;
}

const hashed = (bytes: Uint8Array): Document => ({
  bytes,
  hash: createHash('sha512').update(bytes).digest('hex').toUpperCase(),
});
