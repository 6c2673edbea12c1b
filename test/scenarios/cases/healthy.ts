// Set-ups that look suspicious and work.
import type { Scenario } from '../scenario.ts';
import { psql, readLine, service } from '../world.ts';

export const HEALTHY_SCENARIOS: readonly Scenario[] = [
  {
    code: 'healthy',
    title: 'a Service whose port differs from targetPort, by name',
    async make(world) {
      const [server, svc] = [world.word(), world.word()];
      const port = world.port();
      await world.lineServer(server, port, { labels: { app: server }, portName: 'line' });
      await world.apply(service(svc, { app: server }, [{ port: 80, targetPort: 'line' }]));
      const client = await world.clientPod();
      await world.ready(server);
      return {
        why: [`tcp://${svc}:80`, '--from', `pod/${client}`],
        client: { on: client, command: readLine(svc, 80), works: /hello/ },
      };
    },
  },
  {
    code: 'healthy',
    title: 'PostgreSQL behind a headless Service',
    async make(world) {
      const [server, svc] = [world.word(), world.word()];
      await world.postgres(server, { labels: { app: server } });
      await world.apply(service(svc, { app: server }, [{ port: 5432 }], { clusterIP: 'None' }));
      const client = await world.clientPod();
      await world.ready(server);
      return {
        why: [`postgres://shop@${svc}:5432/shop`, '--from', `pod/${client}`],
        client: { on: client, command: psql(svc) },
      };
    },
  },
];
