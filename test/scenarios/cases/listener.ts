// A pod that is reached, and a server in it that is not.
import type { Scenario } from '../scenario.ts';
import { psql, service } from '../world.ts';

export const LISTENER_SCENARIOS: readonly Scenario[] = [
  {
    code: 'ListenerOnLoopback',
    title: 'PostgreSQL with listen_addresses=127.0.0.1, in a bare pod',
    async make(world) {
      const [server, svc] = [world.word(), world.word()];
      await world.postgres(server, { labels: { app: server }, args: ['-c', 'listen_addresses=127.0.0.1'] });
      await world.apply(service(svc, { app: server }, [{ port: 5432 }]));
      const client = await world.clientPod();
      await world.ready(server);
      return {
        why: [`postgres://shop@${svc}:5432/shop`, '--from', `pod/${client}`],
        client: { on: client, command: psql(svc) },
        symptom: /refused/i,
        expected: { code: 'ListenerOnLoopback', kind: 'Pod', name: server },
        incurable: 'arguments of a bare pod cannot be changed',
      };
    },
  },
];
