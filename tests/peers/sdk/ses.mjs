import { createServer, request } from 'node:http';
import { GetAccountCommand, SendBulkEmailCommand, SendEmailCommand, SESv2Client } from '@aws-sdk/client-sesv2';
import { arrived, attempt, given, many, message, template as keep } from './report.mjs';

const sdk = (credentials = {}, more = {}) => new SESv2Client({
  region: 'eu-west-1', endpoint: given.url.replace(/\/$/, ''),
  credentials: { accessKeyId: given.accessKeyId, secretAccessKey: given.secret, ...credentials }, ...more,
});
const utf8 = Data => ({ Data, Charset: 'UTF-8' });
const simple = (more = {}, content = {}) => new SendEmailCommand({
  FromEmailAddress: 'sender@example.com', Destination: { ToAddresses: ['a@ses.example'] },
  Content: { Simple: { Subject: utf8('Hello'), Body: { Text: utf8('plain') }, ...content } }, ...more,
});
const template = (Template, more = {}) => new SendEmailCommand({
  FromEmailAddress: 'sender@example.com', Destination: { ToAddresses: ['t@ses.example'] }, Content: { Template }, ...more,
});
const inline = { Subject: 'Hi {{name}}', Text: '{{name}} has {{#each items}}{{this}},{{/each}}', Html: '<b>{{name}}</b>{{{raw}}}' };
const RAW = 'From: Sender <sender@example.com>\r\nTo: visible@ses.example\r\nBcc: hidden@ses.example\r\nSubject: =?utf-8?q?raw_=C3=BC?=\r\nX-Custom: v1\r\n\r\nraw text\r\n';

await attempt('full', async () => {
  const sent = await sdk().send(new SendEmailCommand({
    FromEmailAddress: 'Sénder <sender@example.com>',
    Destination: { ToAddresses: ['Al <full@ses.example>', 'b@ses.example'], CcAddresses: ['c@ses.example'], BccAddresses: ['d@ses.example'] },
    ReplyToAddresses: ['reply@example.com'], EmailTags: [{ Name: 'order_id', Value: '42' }], ConfigurationSetName: 'cs1',
    Content: { Simple: {
      Subject: utf8('Hello ünïcode'), Body: { Text: utf8('plain'), Html: utf8('<b>html</b>') }, Headers: [{ Name: 'X-Custom', Value: 'v1' }],
      Attachments: [
        { RawContent: Buffer.from('hello'), FileName: 'a.txt', ContentDisposition: 'ATTACHMENT', ContentType: 'text/plain' },
        { RawContent: Buffer.from('hi'), FileName: 'i.png', ContentDisposition: 'INLINE', ContentId: 'cid1', ContentType: 'image/png' },
      ],
    } },
  }));
  return { status: sent.$metadata.httpStatusCode, mail: await arrived('full@ses.example'), message: await message(sent.MessageId) };
});
await attempt('raw', async () => {
  await sdk().send(new SendEmailCommand({ FromEmailAddress: 'sender@example.com', Destination: { ToAddresses: ['raw@ses.example'] }, Content: { Raw: { Data: Buffer.from(RAW) } } }));
  return arrived('raw@ses.example');
});
await attempt('raw without an envelope', async () => {
  await sdk().send(new SendEmailCommand({ Content: { Raw: { Data: Buffer.from(RAW.replaceAll('visible', 'bare')) } } }));
  return arrived('bare@ses.example');
});
await attempt('inline template', async () => {
  await sdk().send(template({ TemplateContent: inline, TemplateData: JSON.stringify({ name: 'Ann <&>', items: [1, 'two'], raw: '<i>' }) }, { Destination: { ToAddresses: ['tpl@ses.example'] } }));
  return arrived('tpl@ses.example');
});
await attempt('bulk', async () => {
  const done = await sdk().send(new SendBulkEmailCommand({
    FromEmailAddress: 'sender@example.com', DefaultContent: { Template: { TemplateContent: inline, TemplateData: JSON.stringify({ name: 'You', items: [], raw: '' }) } },
    DefaultEmailTags: [{ Name: 'run', Value: '7' }],
    BulkEmailEntries: [
      { Destination: { ToAddresses: ['bulk0@ses.example'] }, ReplacementEmailContent: { ReplacementTemplate: { ReplacementTemplateData: JSON.stringify({ name: 'Zero' }) } } },
      { Destination: { ToAddresses: ['nonsense'] } },
      { Destination: { ToAddresses: ['bulk2@ses.example'] } },
    ],
  }));
  return { results: done.BulkEmailEntryResults.map(({ Status, Error, MessageId }) => ({ Status, Error: Error ?? null, sent: !!MessageId })), mails: [await arrived('bulk0@ses.example'), await arrived('bulk2@ses.example')] };
});
await attempt('stored template', async () => {
  await keep('ses-welcome', { subject: 'Hi {{name}}', text: '{{name}} has {{sum}}', html: '<b>{{name}}</b>' });
  await sdk().send(template({ TemplateName: 'ses-welcome', TemplateData: JSON.stringify({ name: 'Ann', sum: 1 }) }, { Destination: { ToAddresses: ['stored@ses.example'] } }));
  const entry = (address, data) => ({ Destination: { ToAddresses: [address] }, ReplacementEmailContent: { ReplacementTemplate: { ReplacementTemplateData: JSON.stringify(data) } } });
  const bulk = async TemplateName => (await sdk().send(new SendBulkEmailCommand({
    FromEmailAddress: 'sender@example.com', DefaultContent: { Template: { TemplateName, TemplateData: JSON.stringify({ name: 'You' }) } },
    BulkEmailEntries: [entry('stored0@ses.example', { sum: 2 }), entry('stored1@ses.example', { name: 'Bo', sum: 3 }), entry('stored2@ses.example', {})],
  }))).BulkEmailEntryResults.map(({ Status }) => Status);
  return {
    results: await bulk('ses-welcome'), missing: await bulk('nowhere'),
    mails: [await arrived('stored@ses.example'), await arrived('stored0@ses.example'), await arrived('stored1@ses.example')],
  };
});
await attempt('account', async () => (await sdk().send(new GetAccountCommand({}))).SendingEnabled);
await attempt('slashes', async () => !!(await sdk({}, { endpoint: `${given.url}/ses/` }).send(simple())).MessageId);
await attempt('cut before the answer', async () => {
  // Lets the first answer never arrive; the SDK repeats the call by itself.
  let calls = 0;
  const ids = [];
  const proxy = createServer((req, res) => {
    const first = ++calls === 1;
    const { hostname, port } = new URL(given.url);
    req.pipe(request({ hostname, port, method: req.method, path: req.url, headers: req.headers }, answer => {
      const parts = [];
      answer.on('data', part => parts.push(part)).on('end', () => {
        ids.push(JSON.parse(Buffer.concat(parts)).MessageId);
        if (first) return res.destroy();
        res.writeHead(answer.statusCode, answer.headers).end(Buffer.concat(parts));
      });
    }));
  });
  await new Promise(resolve => proxy.listen(0, '127.0.0.1', resolve));
  const { MessageId, $metadata } = await sdk({}, { endpoint: `http://127.0.0.1:${proxy.address().port}` }).send(simple());
  proxy.close();
  return { calls, attempts: $metadata.attempts, same: ids.length === 2 && ids.every(id => id === MessageId) };
});
await attempt('wrong secret', () => sdk({ secretAccessKey: 'wrong' }).send(simple()));
await attempt('unknown access key', () => sdk({ accessKeyId: 'PRNOBODY' }).send(simple()));
await attempt('session token', () => sdk({ sessionToken: 'token' }).send(simple()));
await attempt('wrong clock', () => sdk({}, { systemClockOffset: 3_600_000 }).send(simple()));
await attempt('invalid address', () => sdk().send(simple({ Destination: { ToAddresses: ['nonsense'] } })));
await attempt('too many recipients', () => sdk().send(simple({ Destination: { ToAddresses: many(51, n => `a${n}@ses.example`) } })));
await attempt('no such template', () => sdk().send(template({ TemplateName: 'welcome', TemplateData: '{}' })));
await attempt('broken template', () => sdk().send(template({ TemplateContent: { Subject: '{{#if}', Text: 't' }, TemplateData: '{}' })));
await attempt('missing data', () => sdk().send(template({ TemplateContent: inline, TemplateData: '{}' })));
await attempt('template data that is no JSON', () => sdk().send(template({ TemplateContent: inline, TemplateData: '[' })));
