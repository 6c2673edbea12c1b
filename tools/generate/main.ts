// Writes generated/ from the upstream API description: `npm run generate -- --from DIR --fields FILE`, where DIR holds
// swagger-v1.36.json and FILE is the output of tools/generate/fields. What it writes is committed; its input is not.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { generateResources } from './resources.ts';
import { type FieldDump, generateSchema, generateServed } from './schema.ts';
import { generateTypes, type Swagger } from './types.ts';

const { values } = parseArgs({
  options: { from: { type: 'string' }, to: { type: 'string', default: 'generated' }, fields: { type: 'string' } },
});
if (values.from === undefined || values.fields === undefined) {
  console.error(
    'usage: npm run generate -- --from DIR --fields FILE (the folder with swagger-v1.36.json, the output of tools/generate/fields)',
  );
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
// Field numbers of every built-in message, for bodies in Kubernetes' protobuf.
copyFileSync(join(values.from, 'protobuf-v1.36.json'), join(values.to, 'protobuf-v1.36.json'));
const dump = JSON.parse(readFileSync(values.fields, 'utf8')) as FieldDump;
writeFileSync(join(values.to, 'schema.ts'), generateSchema(swagger, dump));
writeFileSync(join(values.to, 'served.ts'), generateServed(swagger));
