// What the scripts of this folder share. Each lets one vendor's official SDK talk to a server of ours, whose addresses and keys come as
// JSON in the first argument, and prints one JSON object a line: what each call came to, in the SDK's own terms.
import { simpleParser } from 'mailparser';

export const given = JSON.parse(process.argv[2]);
export const host = new URL(given.url).host;

/** Prints what a call resolved to, or the SDK's own error. */
export async function attempt(name, call) {
  try {
    console.log(JSON.stringify({ name, ok: (await call()) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({
      name,
      error: {
        kind: error.constructor.name, name: error.name, message: error.message, code: error.code ?? null,
        status: error.status ?? error.statusCode ?? error.$metadata?.httpStatusCode ?? null,
        details: error.details ?? null, body: error.response?.body ?? null, recipients: error.recipients ?? null,
        attempts: error.$metadata?.attempts ?? null, text: String(error),
      },
    }));
  }
}

const ask = async path => fetch(new URL(path, given.url), { headers: { authorization: `Bearer ${given.key}` } });

/** The mail that arrived in the inbox for an address, as another's parser reads it; waits until it is there. */
export async function arrived(recipient) {
  for (let patience = 0; patience < 500; patience++) {
    const [mail] = (await (await ask(`/inbox?recipient=${encodeURIComponent(recipient)}`)).json()).data;
    if (mail) {
      const read = await simpleParser(await (await ask(`/inbox/${mail.id}.eml`)).text(), { keepCidLinks: true, skipTextToHtml: true, skipHtmlToText: true });
      const text = field => [field ?? []].flat().map(one => one.text).join(', ');
      return {
        id: mail.message_id, envelope: mail.recipients, from: text(read.from), to: text(read.to), cc: text(read.cc), bcc: text(read.bcc),
        reply_to: text(read.replyTo), subject: read.subject, text: read.text?.trim() ?? null, html: read.html || null,
        headers: read.headerLines.filter(({ key }) => key.startsWith('x-')).map(({ line }) => line),
        attachments: read.attachments.map(a => ({ name: a.filename, type: a.contentType, disposition: a.contentDisposition, cid: a.cid ?? null, bytes: a.size })),
      };
    }
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  throw new Error(`nothing arrived for ${recipient}`);
}

/** What our own API tells of a message. */
export const message = async id => (await ask(`/emails/${id}`)).json();

/** Keeps a template; what it is called from then on. */
export async function template(name, parts) {
  const answer = await fetch(new URL('/templates', given.url), {
    method: 'POST', headers: { authorization: `Bearer ${given.key}`, 'content-type': 'application/json' }, body: JSON.stringify({ name, ...parts }),
  });
  return answer.json();
}

export const many = (count, make) => Array.from({ length: count }, (_, n) => make(n));
