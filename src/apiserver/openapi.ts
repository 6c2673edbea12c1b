// /openapi/v3: the index with hashes and one document a group and version, made when first asked for and kept until what is
// served changes.
import { createHash } from 'node:crypto';
import type { ExchangeResponse } from '#machinery/exchange.ts';
import { groupVersionPath, openApiV3Document, openApiV3Index } from '#schema/openapi.ts';
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
  /** `api/v1`, `apis/apps/v1` → document. */
  #documents = new Map<string, Document>();

  constructor(resources: ServedResources) {
    this.#resources = resources;
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
    for (const [group, versions] of this.#resources.groups()) {
      for (const version of versions.keys()) {
        if (groupVersionPath(group, version).slice(1) !== wanted) continue;
        return this.#show(context, this.#document(group, version));
      }
    }
    throw pathNotFound();
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
    for (const [group, versions] of this.#resources.groups()) {
      for (const version of versions.keys()) {
        rows.push({ group, version, hash: this.#document(group, version).hash });
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
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
