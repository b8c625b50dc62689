// Validates requests against the vendors' own descriptions of their send calls (contracts/). Reads JSON lines {vendor, path, body} from the
// file in the first argument; prints one line for each with what is wrong. Fields that a description does not know are wrong too.
import { readFileSync } from 'node:fs';
import Ajv from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { parse } from 'yaml';

const read = name => readFileSync(new URL(`contracts/${name}`, import.meta.url), 'utf8');
const ajv = new Ajv({ strict: false, allErrors: true });
formats(ajv);
ajv.addFormat('email', /^.+@[^@ ]+$/); // the library's own knows neither quoted local parts (RFC 5321 §4.1.2) nor those in UTF-8

/** No other members than those described, in every object that describes any. */
function close(schema) {
  if (Array.isArray(schema)) schema.forEach(close);
  else if (schema && typeof schema === 'object') {
    if (schema.type === 'object' && schema.properties && schema.additionalProperties === undefined) schema.additionalProperties = false;
    Object.values(schema).forEach(close);
  }
  return schema;
}
const openApi = name => ajv.addSchema(close(parse(read(`${name}.yaml`))), name);
const at = pointer => ajv.compile({ $ref: pointer });

/** AWS describes its API in Smithy; as JSON Schema as far as SendEmail needs it. */
function smithy(document) {
  const schemas = {};
  const name = target => target.split('#')[1];
  const visit = target => {
    const shape = document.shapes[target];
    if (!shape) return { Boolean: { type: 'boolean' }, Integer: { type: 'integer' } }[name(target)] ?? { type: 'string' };
    if (!(name(target) in schemas)) {
      schemas[name(target)] = {};
      const { 'smithy.api#length': length, 'smithy.api#pattern': pattern } = shape.traits ?? {};
      const members = Object.entries(shape.members ?? {});
      schemas[name(target)] = {
        structure: () => ({
          type: 'object', additionalProperties: false, properties: Object.fromEntries(members.map(([key, member]) => [key, visit(member.target)])),
          required: members.filter(([, member]) => 'smithy.api#required' in (member.traits ?? {})).map(([key]) => key),
        }),
        list: () => ({ type: 'array', items: visit(shape.member.target) }),
        map: () => ({ type: 'object', additionalProperties: visit(shape.value.target) }),
        enum: () => ({ enum: members.map(([, member]) => member.traits['smithy.api#enumValue']) }),
        blob: () => ({ type: 'string', contentEncoding: 'base64' }),
        boolean: () => ({ type: 'boolean' }),
        string: () => ({ type: 'string', ...(length?.min && { minLength: length.min }), ...(length?.max && { maxLength: length.max }), ...(pattern && { pattern }) }),
      }[shape.type]();
    }
    return { $ref: `#/$defs/${name(target)}` };
  };
  return { ...visit('com.amazonaws.sesv2#SendEmailRequest'), $defs: schemas };
}

openApi('sendgrid-mail-send');
openApi('resend-emails');
openApi('mailgun-messages');
const json = 'requestBody/content/application~1json/schema';
const checks = {
  'sendgrid /v3/mail/send': at('sendgrid-mail-send#/components/requestBodies/PostMailSend/content/application~1json/schema'),
  'resend /emails': at(`resend-emails#/paths/~1emails/post/${json}`),
  'resend /emails/batch': at(`resend-emails#/paths/~1emails~1batch/post/${json}`),
  'mailgun /v3/mg.example.com/messages.mime': at('mailgun-messages#/components/schemas/POST-v3-domain_name-messages-mime-multipart-form-data-RequestBody'),
  'mailgun /v3/mg.example.com/messages': at('mailgun-messages#/components/schemas/POST-v3-domain_name-messages-multipart-form-data-RequestBody'),
  'ses /v2/email/outbound-emails': ajv.compile(smithy(JSON.parse(read('sesv2-send.smithy.json')))),
};

for (const line of readFileSync(process.argv[2], 'utf8').split('\n').filter(Boolean)) {
  const { vendor, path, body } = JSON.parse(line);
  const check = checks[`${vendor} ${path}`];
  // Headers and variables have names of the sender's own.
  const described = vendor === 'mailgun' ? Object.fromEntries(Object.entries(body).filter(([name]) => !/^[hv]:/.test(name))) : body;
  console.log(JSON.stringify({ vendor, path, errors: !check ? ['no such call'] : check(described) ? [] : check.errors.map(e => `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`) }));
}
