// Writes generated/ from the upstream API description: `npm run generate -- --from DIR`, where DIR holds
// swagger-v1.36.json and protobuf-v1.36.json. What it writes is committed; its input is not.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { generateResources } from './resources.ts';
import { generateTypes, type Swagger } from './types.ts';

const { values } = parseArgs({ options: { from: { type: 'string' }, to: { type: 'string', default: 'generated' } } });
if (values.from === undefined) {
  console.error('usage: npm run generate -- --from DIR (the folder with swagger-v1.36.json)');
  process.exit(64);
}
const swagger = JSON.parse(readFileSync(join(values.from, 'swagger-v1.36.json'), 'utf8')) as Swagger;

const api = join(values.to, 'api');
rmSync(api, { recursive: true, force: true });
mkdirSync(api, { recursive: true });
for (const [module, text] of generateTypes(swagger)) writeFileSync(join(api, `${module}.ts`), text);
writeFileSync(join(values.to, 'resources.ts'), generateResources(swagger));
// The container runtime interface, as a protobufjs descriptor: used as it is.
copyFileSync(join(values.from, 'cri-v1.json'), join(values.to, 'cri-v1.json'));
