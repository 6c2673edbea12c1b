// token of a service account: TokenRequest.
import type { TokenRequest } from '#generated/api/authentication-v1.ts';
import type { KubeObject } from '#machinery/object.ts';
import { decodeObject } from '#schema/decode.ts';
import { schemaByName } from '#schema/load.ts';
import type { TokenIssuer } from '../authentication/token-request.ts';
import { bodyOf } from '../codec.ts';
import { negotiate } from '../negotiation.ts';
import { jsonValue } from '../responses.ts';
import type { Subresource } from './subresource.ts';

export function tokenSubresource(issuer: TokenIssuer): Subresource {
  return {
    name: 'token',
    resource: '/serviceaccounts',
    verbs: ['create'],
    async serve(served, context, { admission }) {
      const accepted = negotiate(context.request.headers.accept);
      const { object } = decodeObject<TokenRequest & KubeObject>(
        bodyOf(context),
        schemaByName('io.k8s.api.authentication.v1.TokenRequest'),
        { kind: 'TokenRequest', version: 'v1' },
      );
      // NodeRestriction holds a node to tokens of the pods that run on it.
      await admission.validate(
        {
          user: context.user,
          operation: 'CREATE',
          verb: 'create',
          group: '',
          version: 'v1',
          resource: 'serviceaccounts',
          subresource: 'token',
          kind: 'TokenRequest',
          namespace: context.info.namespace,
          name: context.info.name,
          oldObject: undefined,
          options: {},
          dryRun: false,
          definition: served.definition,
          warn: (text) => context.warn(text),
          annotate: (key, value) => context.annotate(key, value),
        },
        object,
      );
      const {
        kind: _kind,
        apiVersion: _apiVersion,
        ...rest
      } = await issuer.create(context.info.namespace, context.info.name, object);
      return jsonValue(201, { kind: 'TokenRequest', apiVersion: 'authentication.k8s.io/v1', ...rest }, accepted);
    },
  };
}
