// The three patch types, from #merge; apply when it is there.
import type { ExchangeResponse } from '#machinery/exchange.ts';
import type { KubeObject } from '#machinery/object.ts';
import type { Schema } from '#schema/types.ts';
import type { RequestContext } from './context.ts';
import type { Accepted } from './negotiation.ts';
import type { Served } from './served.ts';
import type { WriteOptions } from './verbs/options.ts';

export interface ApplyRequest {
  readonly served: Served;
  readonly context: RequestContext;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly options: WriteOptions;
  readonly body: Uint8Array;
  readonly accepted: Accepted;
}

export interface Patcher {
  /** Never mutates `current`. Throws StatusError: 400 for what is no patch, 422 for one that does not apply. */
  patch(type: string, current: KubeObject, patch: unknown, schema: Schema): unknown;
  apply?(request: ApplyRequest): Promise<ExchangeResponse>;
}
