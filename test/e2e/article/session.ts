// One psql session that stays open in a client pod while things die around it. It runs beside the pod's own command, fed through a pipe
// with a name: an exec stream would die with the API server, the session must not.
import { until, type TestCluster } from '../cluster.ts';

const PIPE = '/tmp/session.in';
const OUTPUT = '/tmp/session.out';
const ANSWER_TIMEOUT_MS = 15_000;

interface Client {
  readonly namespace: string;
  readonly name: string;
}

export class PsqlSession {
  readonly #cluster: TestCluster;
  readonly #client: Client;
  #asked = 0;

  constructor(cluster: TestCluster, client: Client) {
    this.#cluster = cluster;
    this.#client = client;
  }

  /** `sleep` keeps the pipe open between two questions. */
  async open(connection: string): Promise<void> {
    await this.#sh(
      `rm -f ${PIPE} ${OUTPUT}; mkfifo ${PIPE}; (sleep 600 >${PIPE} & psql -XAtq '${connection}' <${PIPE} >${OUTPUT} 2>&1; kill $!) </dev/null >/dev/null 2>&1 &`,
    );
  }

  /** The first column of the only row. */
  async ask(sql: string): Promise<string> {
    const mark = `answer ${++this.#asked}`;
    await this.#sh(`echo "SELECT '${mark}: ' || (${sql});" >${PIPE}`);
    return until(mark, ANSWER_TIMEOUT_MS, async () => {
      const printed = await this.#sh(`cat ${OUTPUT}`);
      return printed
        .split('\n')
        .find((line) => line.startsWith(`${mark}: `))
        ?.slice(mark.length + 2);
    });
  }

  async close(): Promise<void> {
    await this.#sh(`echo '\\q' >${PIPE}`);
  }

  #sh(script: string): Promise<string> {
    return this.#cluster.mustExec(this.#client.namespace, this.#client.name, ['timeout', '10', 'sh', '-c', script]);
  }
}
