import FormData from 'form-data';
import Mailgun from 'mailgun.js';
import { arrived, attempt, given, many, message, template } from './report.mjs';

const sdk = (key = given.key, url = given.url.replace(/\/$/, '')) => new Mailgun(FormData).client({ username: 'api', key, url });
const mail = more => ({ from: 'sender@example.com', to: 'a@mg.example', subject: 'Hello', text: 'plain', ...more });
const idOf = ({ id }) => id.slice(1).split('@')[0];
const MIME = 'From: Sender <sender@example.com>\nTo: visible@mg.example\nSubject: =?utf-8?q?raw_=C3=BC?=\nX-Custom: v1\n\nraw text\n';

await attempt('full', async () => {
  const sent = await sdk().messages.create('example.com', {
    from: 'Sénder <sender@example.com>', to: ['Al <full@mg.example>', '"Bee, B" <b@mg.example>'], cc: 'c@mg.example', bcc: 'd@mg.example',
    subject: 'Hello ünïcode', text: 'plain', html: '<b>html</b><img src="cid:i.png">',
    attachment: [{ filename: 'ä b.txt', data: Buffer.from('hello'), contentType: 'text/plain' }],
    inline: [{ filename: 'i.png', data: Buffer.from('hi') }],
    'h:Reply-To': 'reply@example.com', 'h:X-Custom': 'v1', 'v:my-var': JSON.stringify({ a: 1 }), 'o:tag': ['t1', 't2'],
    'o:tracking': 'no', 'o:tracking-clicks': 'htmlonly', 'o:dkim': true, 'o:require-tls': 'yes',
  });
  return { status: sent.status, words: sent.message, bracketed: /^<.*@example\.com>$/.test(sent.id), mail: await arrived('full@mg.example'), message: await message(idOf(sent)) };
});
await attempt('platform FormData', async () => {
  const client = new Mailgun(globalThis.FormData).client({ username: 'api', key: given.key, url: given.url.replace(/\/$/, '') });
  await client.messages.create('example.com', mail({ to: 'platform@mg.example', attachment: [{ filename: 'p.pdf', data: Buffer.from('%PDF') }] }));
  return (await arrived('platform@mg.example')).attachments;
});
await attempt('recipient variables', async () => {
  await sdk().messages.create('example.com', mail({
    to: ['v0@mg.example', 'v1@mg.example'], subject: 'Hi %recipient.first%', text: '%recipient.first% has %recipient.n% at %recipient%', 'h:X-For': '%recipient.first%',
    'recipient-variables': JSON.stringify({ 'v0@mg.example': { first: 'Ann', n: 1 }, 'v1@mg.example': { first: 'Bo' } }),
  }));
  return [await arrived('v0@mg.example'), await arrived('v1@mg.example')];
});
await attempt('mime as a string', async () => {
  await sdk().messages.create('example.com', { to: ['mime0@mg.example'], message: MIME, 'o:tag': ['raw'] });
  return arrived('mime0@mg.example');
});
await attempt('mime as bytes', async () => {
  await sdk().messages.create('example.com', { to: ['mime1@mg.example', 'mime2@mg.example'], message: Buffer.from(MIME) });
  return arrived('mime2@mg.example');
});
await attempt('test mode', async () => {
  const { status, message: words } = await sdk().messages.create('example.com', mail({ to: 'sandbox@mg.example', 'o:testmode': 'yes' }));
  return { status, words };
});
await attempt('later', async () => {
  const at = new Date(Date.now() + 3_600_000);
  return { at: at.toISOString(), message: await message(idOf(await sdk().messages.create('example.com', mail({ 'o:deliverytime': at.toUTCString() })))) };
});
await attempt('1000 recipients', async () => (await sdk().messages.create('example.com', mail({ to: many(1000, n => `n${n}@mg.example`) }))).status);
await attempt('prefix', async () => (await sdk(given.key, `${given.url}mailgun`).messages.create('example.com', mail())).status);
await attempt('bad key', () => sdk('key-wrong').messages.create('example.com', mail()));
await attempt('invalid address', () => sdk().messages.create('example.com', mail({ to: 'nonsense' })));
await attempt('no recipient', () => sdk().messages.create('example.com', mail({ to: [], cc: 'c@mg.example', bcc: undefined })));
await attempt('too many recipients', () => sdk().messages.create('example.com', mail({ to: many(1001, n => `a${n}@mg.example`) })));
await attempt('variables that are no JSON', () => sdk().messages.create('example.com', mail({ 'recipient-variables': '[' })));
await attempt('stored template', async () => {
  await template('mg-welcome', { subject: 'of the template', html: '<b>{{name}}</b>' });
  await sdk().messages.create('example.com', mail({ to: 'tpl@mg.example', template: 'mg-welcome', 't:variables': JSON.stringify({ name: 'Ann' }) }));
  return arrived('tpl@mg.example');
});
await attempt('template', () => sdk().messages.create('example.com', mail({ template: 'welcome', 't:variables': JSON.stringify({ name: 'Ann' }) })));
