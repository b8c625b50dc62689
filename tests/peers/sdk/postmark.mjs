import { ServerClient } from 'postmark';
import { arrived, attempt, given, host, many, message, template } from './report.mjs';

const sdk = (token = given.key, requestHost = host) => new ServerClient(token, { useHttps: false, requestHost });
const mail = more => ({ From: 'sender@example.com', To: 'a@pm.example', Subject: 'Hello', TextBody: 'plain', ...more });

await attempt('full', async () => {
  const sent = await sdk().sendEmail({
    From: 'Sénder <sender@example.com>', To: 'full@pm.example, "Bee, B" <b@pm.example>', Cc: 'c@pm.example', Bcc: 'd@pm.example', ReplyTo: 'reply@example.com',
    Subject: 'Hello ünïcode', TextBody: 'plain', HtmlBody: '<b>html</b><img src="cid:cid1">',
    Attachments: [
      { Name: 'ä b.txt', Content: Buffer.from('hello').toString('base64'), ContentType: 'text/plain', ContentID: null },
      { Name: 'i.png', Content: Buffer.from('hi').toString('base64'), ContentType: 'image/png', ContentID: 'cid:cid1' },
    ],
    Headers: [{ Name: 'X-Custom', Value: 'v1' }], Tag: 'welcome', Metadata: { order_id: '42' }, TrackOpens: true, TrackLinks: 'None', MessageStream: 'outbound',
  });
  return { sent: { ...sent, MessageID: undefined, SubmittedAt: undefined }, mail: await arrived('full@pm.example'), message: await message(sent.MessageID) };
});
await attempt('batch', async () => {
  const results = await sdk().sendEmailBatch([mail({ To: 'batch0@pm.example' }), mail({ To: 'nonsense' }), mail({ To: 'batch2@pm.example' })]);
  return { results: results.map(({ ErrorCode, Message, MessageID }) => ({ ErrorCode, Message, sent: !!MessageID })), mails: [await arrived('batch0@pm.example'), await arrived('batch2@pm.example')] };
});
await attempt('500 in a batch', async () => (await sdk().sendEmailBatch(many(500, n => mail({ To: `n${n}@pm.example` })))).every(one => one.ErrorCode === 0));
await attempt('prefix', async () => (await sdk(given.key, `${host}/postmark`).sendEmail(mail())).ErrorCode);
await attempt('bad key', () => sdk('wrong').sendEmail(mail()));
await attempt('invalid address', () => sdk().sendEmail(mail({ To: 'good@pm.example, nonsense' })));
await attempt('no sender', () => sdk().sendEmail(mail({ From: '' })));
await attempt('too many messages', () => sdk().sendEmailBatch(many(501, n => mail())));
await attempt('too many recipients', () => sdk().sendEmail(mail({ To: many(51, n => `a${n}@pm.example`).join(',') })));
await attempt('stored templates', async () => {
  const { number } = await template('pm-welcome', { subject: 'Hi {{name}}', html: '<p>{{name}} of {{company.name}}</p>' });
  const one = { From: 'sender@example.com', TemplateModel: { name: 'Ann', company: { name: 'X & Y' } } };
  await sdk().sendEmailWithTemplate({ ...one, To: 'tpl0@pm.example', TemplateAlias: 'pm-welcome' });
  const results = await sdk().sendEmailBatchWithTemplates([
    { ...one, To: 'tpl1@pm.example', TemplateId: number, TemplateModel: { name: 'Bo' } }, { ...one, To: 'tpl2@pm.example', TemplateId: 4711 },
  ]);
  return { codes: results.map(({ ErrorCode }) => ErrorCode), mails: [await arrived('tpl0@pm.example'), await arrived('tpl1@pm.example')] };
});
await attempt('template', () => sdk().sendEmailWithTemplate({ From: 'sender@example.com', To: 'a@pm.example', TemplateAlias: 'welcome', TemplateModel: { name: 'Ann' } }));
await attempt('batch with templates', async () =>
  (await sdk().sendEmailBatchWithTemplates([{ From: 'sender@example.com', To: 'a@pm.example', TemplateId: 4712, TemplateModel: {} }])).map(({ ErrorCode, Message }) => ({ ErrorCode, Message })));
