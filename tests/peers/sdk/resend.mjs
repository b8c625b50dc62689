import { Resend } from 'resend';
import { arrived, attempt, given, many, template } from './report.mjs';

const sdk = (key = given.key, baseUrl = given.url.replace(/\/$/, '')) => new Resend(key, { baseUrl });
const mail = more => ({ from: 'sender@example.com', to: 'a@rs.example', subject: 'Hello', text: 'plain', ...more });
const later = () => new Date(Date.now() + 3_600_000).toISOString();
// This SDK does not throw: it returns { data, error }.
const plain = ({ data, error }) => ({ data, error });

await attempt('full', async () => {
  const { data, error } = await sdk().emails.send({
    from: 'Sénder <sender@example.com>', to: ['full@rs.example', 'Bee <b@rs.example>'], cc: 'c@rs.example', bcc: 'd@rs.example', replyTo: 'reply@example.com',
    subject: 'Hello ünïcode', text: 'plain', html: '<b>html</b><img src="cid:cid1">', headers: { 'X-Custom': 'v1' }, tags: [{ name: 'category', value: 'welcome' }],
    attachments: [{ content: Buffer.from('hello'), filename: 'a.txt', contentType: 'text/plain' }, { content: Buffer.from('hi').toString('base64'), filename: 'i.png', contentId: 'cid1' }],
  });
  const mailThere = await arrived('full@rs.example');
  const got = await sdk().emails.get(data.id);
  return { error, mail: mailThere, got: got.data };
});
await attempt('batch', async () => {
  const { data, error } = await sdk().batch.send([mail({ to: 'batch0@rs.example' }), mail({ to: 'batch1@rs.example' })]);
  return { error, ids: data.data.map(one => typeof one.id), mails: [await arrived('batch0@rs.example'), await arrived('batch1@rs.example')] };
});
await attempt('batch, one of them bad', async () => plain(await sdk().batch.send([mail(), mail({ to: 'nonsense' })])));
await attempt('batch, permissive', async () => {
  const { data, error } = await sdk().batch.send([mail(), mail({ to: 'nonsense' }), mail()], { batchValidation: 'permissive' });
  return { error, data: data && { ids: data.data.map(one => !!one.id), errors: data.errors } };
});
await attempt('later, moved, cancelled', async () => {
  const { data: { id } } = await sdk().emails.send(mail({ scheduledAt: later() }));
  const scheduled = (await sdk().emails.get(id)).data;
  const moved = await sdk().emails.update({ id, scheduledAt: new Date(Date.now() + 7_200_000).toISOString() });
  const cancelled = await sdk().emails.cancel(id);
  const after = (await sdk().emails.get(id)).data;
  return { scheduled: scheduled.last_event, moved: plain(moved).error ?? moved.data.object, cancelled: plain(cancelled).error ?? cancelled.data.object, after: after.last_event, same: after.id === id };
});
await attempt('list', async () => {
  const { data } = await sdk().emails.list({ limit: 2 });
  const next = await sdk().emails.list({ limit: 2, after: data.data[1].id });
  return { object: data.object, count: data.data.length, more: data.has_more, nextIsOther: next.data.data.every(one => data.data.every(two => one.id !== two.id)) };
});
await attempt('same key twice', async () => {
  const [one, two, other] = [
    await sdk().emails.send(mail(), { idempotencyKey: 'idem-1' }), await sdk().emails.send(mail(), { idempotencyKey: 'idem-1' }),
    await sdk().emails.send(mail({ subject: 'Other' }), { idempotencyKey: 'idem-1' }),
  ];
  return { same: one.data.id === two.data.id, other: other.error };
});
await attempt('prefix and slash', async () => plain(await sdk(given.key, `${given.url}resend/`).emails.send(mail())).error);
await attempt('bad key', async () => plain(await sdk('re_wrong').emails.send(mail())));
await attempt('invalid address', async () => plain(await sdk().emails.send(mail({ to: 'nonsense' }))));
await attempt('too many recipients', async () => plain(await sdk().emails.send(mail({ to: many(1001, n => `a${n}@rs.example`) }))));
await attempt('attachment to be fetched', async () => plain(await sdk().emails.send(mail({ attachments: [{ filename: 'u.pdf', path: 'http://169.254.169.254/' }] }))));
await attempt('stored template', async () => {
  await template('rs-welcome', { subject: 'Hi {{name}}', html: '<b>{{name}}</b>' });
  await sdk().emails.send({ from: 'sender@example.com', to: 'tpl@rs.example', template: { id: 'rs-welcome', variables: { name: 'Ann' } } });
  return arrived('tpl@rs.example');
});
await attempt('template', async () => plain(await sdk().emails.send({ from: 'sender@example.com', to: 'a@rs.example', template: { id: 'welcome', variables: {} } })));
await attempt('in plain words', async () => plain(await sdk().emails.send(mail({ scheduledAt: 'in 1 min' }))));
await attempt('no such message', async () => plain(await sdk().emails.get('00000000-0000-0000-0000-000000000000')));
