// A Service that does not lead to its pods.
import type { Scenario } from '../scenario.ts';
import { psql, readLine, service } from '../world.ts';

export const SERVICE_SCENARIOS: readonly Scenario[] = [
  {
    code: 'SelectorMatchesNothing',
    title: 'a label’s value with a slip in it',
    async make(world) {
      const [server, svc] = [world.word(), world.word()];
      const port = world.port();
      await world.lineServer(server, port, { labels: { app: server, tier: 'back' } });
      await world.apply(service(svc, { app: `${server}s`, tier: 'back' }, [{ port }]));
      const client = await world.clientPod();
      await world.ready(server);
      return {
        why: [`tcp://${svc}:${port}`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, port), works: /hello/ },
        symptom: /refused/i,
        expected: { code: 'SelectorMatchesNothing', kind: 'Service', name: svc, field: /^spec\.selector/ },
      };
    },
  },
  {
    code: 'TargetPortMismatch',
    title: 'targetPort is not what PostgreSQL listens on',
    async make(world) {
      const [server, svc] = [world.word(), world.word()];
      await world.postgres(server, { labels: { app: server } });
      await world.apply(service(svc, { app: server }, [{ port: 5432, targetPort: 5433 }]));
      const client = await world.clientPod();
      await world.ready(server);
      return {
        why: [`postgres://shop@${svc}:5432/shop`, '--from', `pod/${client}`],
        client: { on: client, command: psql(svc) },
        symptom: /refused/i,
        expected: { code: 'TargetPortMismatch', kind: 'Service', name: svc, field: /targetPort/ },
      };
    },
  },
];
