import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import { KubeconfigError, parseKubeconfig } from './kubeconfig.ts';

const config = (user: string, cluster = '') => `
apiVersion: v1
kind: Config
current-context: main
clusters: [{ name: c, cluster: { server: 'https://127.0.0.1:6443', certificate-authority-data: ${Buffer.from('CA').toString('base64')} ${cluster} } }]
users: [{ name: u, user: ${user} }]
contexts:
- { name: main, context: { cluster: c, user: u, namespace: db } }
- { name: dangling, context: { cluster: gone, user: u } }
`;
const parse = (text: string, context?: string) =>
  parseKubeconfig(
    text,
    '/home/me/.kube/config',
    { readFile: (path) => `<${path}>`, clock: new SteppedClock() },
    context,
  );

describe('parseKubeconfig', () => {
  it('reads certificates from data and from files relative to it', () => {
    const { context, namespace, transport } = parse(
      config(`{ client-certificate-data: ${Buffer.from('CERT').toString('base64')}, client-key: keys/me.key }`),
    );
    assert.deepEqual([context, namespace], ['main', 'db']);
    assert.deepEqual(
      [transport.server, transport.ca, transport.cert, transport.key],
      ['https://127.0.0.1:6443', 'CA', 'CERT', '</home/me/.kube/keys/me.key>'],
    );
  });

  it('reads tokens and where to read them', () => {
    assert.equal(parse(config('{ token: abc }')).transport.token, 'abc');
    const { token } = parse(config('{ tokenFile: /var/token }')).transport;
    assert.equal((token as () => string)(), '</var/token>');
  });

  const bad: [name: string, text: string, context: string | undefined, message: RegExp][] = [
    ['is not YAML', 'a: [', undefined, /\/home\/me\/\.kube\/config is not a kubeconfig/],
    ['is empty', '', undefined, /is not a kubeconfig/],
    ['has no current context', 'contexts: []', undefined, /no current-context: set one/],
    ['lacks the context', config('{}'), 'other', /no context "other"; it has: main, dangling/],
    ['lacks the cluster', config('{}'), 'dangling', /names cluster "gone"/],
    [
      'uses an exec plugin',
      config('{ exec: { command: aws } }'),
      undefined,
      /uses exec credential plugins, which is not supported/,
    ],
  ];
  for (const [name, text, context, message] of bad) {
    it(`says so when the file ${name}`, () => {
      assert.throws(
        () => parse(text, context),
        (error: unknown) => error instanceof KubeconfigError && message.test(error.message),
      );
    });
  }
});
