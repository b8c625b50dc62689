// Holds an OpenAPI document, fetched from the address in the first argument, against the specification's own schema, and each example in it
// against the schema that it is an example of. Prints "valid", or what is wrong, a line each.
import { Validator } from '@seriousme/openapi-schema-validator';
import Ajv from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

const document = await (await fetch(process.argv[2])).json();
const faults = [];

const { valid, errors } = await new Validator({ strict: false }).validate(structuredClone(document));
if (!valid) faults.push(JSON.stringify(errors));

const ajv = new Ajv({ strict: false, allErrors: true });
formats(ajv);
ajv.addFormat('int32', true).addFormat('int64', true).addFormat('double', true);
ajv.addSchema(document, 'document');
const escape = part => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
let examples = 0;

/** Every media type with an example, wherever it is. */
function walk(node, path) {
  if (!node || typeof node !== 'object') return;
  if ('schema' in node && 'example' in node) {
    examples++;
    const check = ajv.compile({ $ref: `document#/${[...path, 'schema'].map(escape).join('/')}` });
    if (!check(node.example)) faults.push(`${path.join(' ')}: ${ajv.errorsText(check.errors)}`);
  }
  for (const [key, value] of Object.entries(node)) if (key !== 'example') walk(value, [...path, key]);
}
walk(document.paths, ['paths']);
if (examples < 20) faults.push(`only ${examples} examples`);

console.log(faults.length === 0 ? `valid: ${examples} examples` : faults.join('\n'));
process.exitCode = faults.length === 0 ? 0 : 1;
