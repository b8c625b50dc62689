import nodemailer from 'nodemailer';
import { arrived, attempt, given, message, many } from './report.mjs';

const auth = { user: 'app', pass: given.key };
const open = options => nodemailer.createTransport({ host: '127.0.0.1', port: given.smtp, auth, ...options });
const mail = more => ({ from: 'sender@example.com', to: 'a@nm.example', subject: 'Hello', text: 'plain', ...more });
const idOf = ({ response }) => /queued as (\S+)/.exec(response)[1];
const send = async (options, more) => {
  const transport = open(options);
  try {
    return await transport.sendMail(mail(more));
  } finally {
    transport.close();
  }
};

await attempt('full', async () => {
  const sent = await send({}, {
    from: 'Sénder <sender@example.com>', to: 'full@nm.example, Bee <b@nm.example>', cc: 'c@nm.example', bcc: 'd@nm.example', replyTo: 'reply@example.com',
    subject: 'Hello ünïcode', text: 'plain', html: '<b>html</b><img src="cid:cid1">',
    headers: { 'X-Custom': 'v1', 'X-Postrider-Tag': ['one', 'zwölf'], 'X-Postrider-Metadata': 'order=42', 'X-Postrider-Stream': 'bulk' },
    attachments: [{ content: 'hello', filename: 'ä.txt' }, { content: Buffer.from('hi'), filename: 'i.png', cid: 'cid1' }],
  });
  return { accepted: sent.accepted, messageId: sent.messageId, mail: await arrived('full@nm.example'), message: await message(idOf(sent)) };
});
await attempt('verify', () => open({}).verify());
await attempt('LOGIN', async () => (await send({ authMethod: 'LOGIN' }, { to: 'login@nm.example' })).accepted);
await attempt('implicit TLS', async () =>
  (await send({ port: given.smtps, secure: true, tls: { rejectUnauthorized: false } }, { to: 'tls@nm.example' })).accepted);
await attempt('STARTTLS', async () =>
  (await send({ requireTLS: true, tls: { rejectUnauthorized: false } }, { to: 'starttls@nm.example' })).accepted);
await attempt('STARTTLS with a certificate nobody vouches for', () => send({ requireTLS: true }, {}));
await attempt('pool', async () => {
  const transport = open({ pool: true, maxConnections: 3, maxMessages: 20 });
  const sent = await Promise.all(many(100, n => transport.sendMail(mail({ to: `pool${n}@nm.example` }))));
  transport.close();
  return new Set(sent.map(idOf)).size;
});
await attempt('10 MB', async () => {
  await send({}, { to: 'large@nm.example', attachments: [{ content: Buffer.alloc(10_000_000, 'x'), filename: 'x.bin' }] });
  return (await arrived('large@nm.example')).attachments[0].bytes;
});
await attempt('long line', async () => {
  await send({}, { to: 'long@nm.example', envelope: { from: 'sender@example.com', to: 'long@nm.example' }, raw: `From: sender@example.com\r\n\r\n${'x'.repeat(5000)}\r\n` });
  return (await arrived('long@nm.example')).text.length;
});
await attempt('dots', async () => {
  await send({}, { to: 'dots@nm.example', text: '.\n..\n.a\n' });
  return (await arrived('dots@nm.example')).text;
});
await attempt('address beyond ASCII', async () => (await send({}, { to: 'üser@nm.example' })).accepted);
await attempt('delivery report asked for', async () =>
  (await send({}, { to: 'dsn@nm.example', dsn: { id: 'my id', return: 'headers', notify: ['failure', 'delay'], recipient: 'dsn@nm.example' } })).accepted);
await attempt('same key', async () => {
  const headers = { 'X-Postrider-Idempotency-Key': 'nm-1' };
  return new Set([idOf(await send({}, { headers })), idOf(await send({}, { headers }))]).size;
});
await attempt('bad key', () => send({ auth: { user: 'app', pass: 'wrong' } }, {}));
await attempt('no key', () => send({ auth: undefined }, {}));
await attempt('too large', () => send({}, { attachments: [{ content: Buffer.alloc(20_000_000, 'x'), filename: 'x.bin' }] }));
await attempt('bad recipient', () => send({}, { envelope: { from: 'sender@example.com', to: ['a@nm..example'] } }));
await attempt('one bad recipient of two', async () => {
  const sent = await send({}, { envelope: { from: 'sender@example.com', to: ['good@nm.example', 'a@nm..example'] } });
  return { accepted: sent.accepted, rejected: sent.rejected };
});
await attempt('unknown instruction', () => send({}, { headers: { 'X-Postrider-Tags': 'one' } }));
