import sendgrid from '@sendgrid/mail';
import { arrived, attempt, given, many, message, template } from './report.mjs';

const { MailService } = sendgrid;
function sdk(key = given.key, base = given.url) {
  const service = new MailService();
  service.setClient(new sendgrid.client.constructor());
  service.setApiKey(key);
  service.client.setDefaultRequest('baseUrl', base);
  return service;
}
const mail = more => ({ from: 'sender@example.com', to: 'a@sg.example', subject: 'Hello', text: 'plain', ...more });
const idOf = ([response]) => response.headers['x-message-id'];

await attempt('full', async () => {
  const sent = await sdk().send({
    from: { email: 'sender@example.com', name: 'Sénder, Inc.' },
    to: [{ email: 'full@sg.example', name: 'Al' }, 'b@sg.example'], cc: 'c@sg.example', bcc: 'd@sg.example', replyTo: 'reply@example.com',
    subject: 'Hello ünïcode', text: 'plain', html: '<b>html</b><img src="cid:cid1">',
    attachments: [
      { content: Buffer.from('hello').toString('base64'), filename: 'ä b.txt', type: 'text/plain', disposition: 'attachment' },
      { content: Buffer.from('hi').toString('base64'), filename: 'i.png', type: 'image/png', disposition: 'inline', contentId: 'cid1' },
    ],
    categories: ['welcome'], headers: { 'X-Custom': 'v1' }, customArgs: { order_id: '42' }, asm: { groupId: 5 },
    trackingSettings: { clickTracking: { enable: false } }, ipPoolName: 'pool', batchId: 'b1',
  });
  return { status: sent[0].statusCode, body: sent[0].body, mail: await arrived('full@sg.example'), message: await message(idOf(sent)) };
});
await attempt('multiple', async () => {
  await sdk().sendMultiple(mail({ to: many(3, n => `m${n}@sg.example`) }));
  return [await arrived('m0@sg.example'), await arrived('m2@sg.example')];
});
await attempt('personalizations', async () => {
  await sdk().send({
    from: 'sender@example.com', subject: 'Hi {{name}}', text: '{{name}} has {{sum}}', html: '<b>{{name}}</b>',
    personalizations: [
      { to: 'p0@sg.example', substitutions: { name: 'Ann', sum: '1' }, customArgs: { a: 'own' }, headers: { 'X-Own': '1' } },
      { to: 'p1@sg.example', subject: 'Own', substitutions: { name: 'Bo' } },
    ],
  });
  return [await arrived('p0@sg.example'), await arrived('p1@sg.example')];
});
await attempt('an array of messages', async () => (await sdk().send([mail(), mail({ to: 'b@sg.example' })])).map(([r]) => r.statusCode));
await attempt('later', async () => {
  const at = Math.floor(Date.now() / 1000) + 3600;
  return { at, message: await message(idOf(await sdk().send(mail({ sendAt: at })))) };
});
await attempt('sandbox', async () => {
  const [{ statusCode, headers }] = await sdk().send(mail({ to: 'sandbox@sg.example', mailSettings: { sandboxMode: { enable: true } } }));
  return { status: statusCode, id: headers['x-message-id'] ?? null };
});
await attempt('sandbox with a fault', () => sdk().send(mail({ to: 'not an address', mailSettings: { sandboxMode: { enable: true } } })));
await attempt('10 MB', async () => {
  const content = Buffer.alloc(10_000_000, 7).toString('base64');
  await sdk().send(mail({ to: 'large@sg.example', attachments: [{ content, filename: 'a.bin', type: 'application/octet-stream' }] }));
  return (await arrived('large@sg.example')).attachments;
});
await attempt('1000 personalizations', async () =>
  (await sdk().send({ from: 's@example.com', subject: 's', text: 't', personalizations: many(1000, n => ({ to: `n${n}@sg.example` })) }))[0].statusCode);
await attempt('prefix and slash', async () => (await sdk(given.key, `${given.url}sendgrid/`).send(mail()))[0].statusCode);
await attempt('bad key', () => sdk('SG.wrong').send(mail()));
await attempt('invalid address', () => sdk().send(mail({ to: ['good@sg.example', 'a@-bad-.example'] })));
await attempt('too many recipients', () => sdk().send(mail({ to: many(1001, n => `a${n}@sg.example`) })));
await attempt('no content', () => sdk().send({ from: 's@example.com', to: 'a@sg.example', subject: 's', personalizations: undefined, content: [{ type: 'text/plain', value: '' }] }));
await attempt('stored template', async () => {
  const { id } = await template('sg-order', {
    subject: 'Order for {{insert name "default=you"}}',
    html: '<b>{{name}}</b>{{#each items}}{{@index}}{{this.t}}{{#unless @last}},{{/unless}}{{/each}}'
      + '{{#greaterThan total 10}}big{{else}}small{{/greaterThan}}{{#equals plan "pro"}}!{{/equals}} {{formatDate at "YYYY-MM-DD"}}',
  });
  await sdk().send({
    from: 's@example.com', templateId: id, personalizations: [
      { to: 'tpl0@sg.example', dynamicTemplateData: { name: 'Ann <&>', items: [{ t: 'a' }, { t: 'b' }], total: 12, plan: 'pro', at: '2026-03-01T10:00:00Z' } },
      { to: 'tpl1@sg.example', dynamicTemplateData: { total: 3 } },
    ],
  });
  return [await arrived('tpl0@sg.example'), await arrived('tpl1@sg.example')];
});
await attempt('dynamic template', () => sdk().send({ from: 's@example.com', to: 'a@sg.example', templateId: 'd-1234', dynamicTemplateData: { name: 'Ann' } }));
await attempt('a message header called Authorization', () => sdk().send(mail({ headers: { Authorization: 'mine' } })));
