// Validates deployment files against what the tools expect that read them: Dockerfiles; Compose files (the Compose specification's own
// schema); Kubernetes manifests (the types of its API: unknown fields are faults too). Prints a line for each fault, FILE: what is wrong;
// nothing when there is none.
// usage: node validate-deployment.mjs (docker|compose|kubernetes) FILE...
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import Ajv from 'ajv/dist/2019.js';
import formats from 'ajv-formats';
import ts from 'typescript';
import { parse, parseAllDocuments } from 'yaml';

const require = createRequire(import.meta.url);
const [kind, ...files] = process.argv.slice(2);

const validators = {
  docker: text => require('dockerfile-utils').validate(text).map(fault => `line ${fault.range.start.line + 1}: ${fault.message}`),

  compose(text) {
    // "id" is of an older draft than the one that the schema names.
    const schema = JSON.parse(readFileSync(new URL('node_modules/dclint/schemas/compose.schema.json', import.meta.url), 'utf8'),
      (key, value) => key === 'id' && typeof value === 'string' ? undefined : value);
    const ajv = new Ajv({ strict: false, allErrors: true });
    formats(ajv);
    ajv.addFormat('duration', /^(\d+(us|ms|s|m|h))+$/);
    for (const name of ['expose', 'ports', 'subnet_ip_address']) ajv.addFormat(name, true);
    const valid = ajv.compile(schema);
    return valid(parse(text, { merge: true })) ? [] : valid.errors.map(fault => `${fault.instancePath} ${fault.message}`);
  },

  kubernetes: text => parseAllDocuments(text).flatMap(document => {
    const resource = document.toJS();
    const module = resource.apiVersion.includes('/') ? resource.apiVersion.replace('.k8s.io', '') : `core/${resource.apiVersion}`;
    return compile(
      `import type { ${resource.kind} } from 'kubernetes-types/${module}';\n`
      + `export const it: ${resource.kind} = ${JSON.stringify(resource, null, 1)};\n`)
      .map(fault => `${resource.kind} ${resource.metadata?.name}: ${fault}`);
  }),
};

/** What the compiler finds wrong with a module of this text. */
function compile(text) {
  const name = new URL('manifest.ts', import.meta.url).pathname;
  const options = { strict: true, noEmit: true, moduleResolution: ts.ModuleResolutionKind.Node10, types: [] };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = file => file === name || fileExists(file);
  host.readFile = file => file === name ? text : readFile(file);
  host.getSourceFile = (file, ...rest) => file === name ? ts.createSourceFile(file, text, ...rest) : getSourceFile(file, ...rest);
  return ts.getPreEmitDiagnostics(ts.createProgram([name], options, host))
    .map(fault => ts.flattenDiagnosticMessageText(fault.messageText, ' '));
}

for (const file of files)
  for (const fault of validators[kind](readFileSync(file, 'utf8')))
    console.log(`${file}: ${fault}`);
