// Reads every .eml file of a folder with npm's mailparser and prints what it found, one JSON object a line.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import libmime from 'libmime';
import { simpleParser } from 'mailparser';

const options = { keepCidLinks: true, skipTextToHtml: true, skipHtmlToText: true, skipTextLinks: true, skipImageLinks: true };
const mailboxes = field => (field ? field.value : []).flatMap(entry => entry.group ?? [entry]).map(({ name, address }) => [name, address]);

for (const file of readdirSync(process.argv[2]).filter(name => name.endsWith('.eml')).sort()) {
  const mail = await simpleParser(readFileSync(join(process.argv[2], file)), options);
  console.log(JSON.stringify({
    file: basename(file, '.eml'),
    names: mail.headerLines.map(line => line.key),
    // mailparser leaves fields that it does not know as they are; its own library decodes them.
    custom: mail.headerLines.filter(({ key }) => key.startsWith('x-')).map(({ key, line }) => [key, libmime.decodeWords(libmime.decodeHeader(line).value)]),
    from: mailboxes(mail.from),
    sender: mailboxes(mail.headers.get('sender')),
    reply_to: mailboxes(mail.replyTo),
    to: mailboxes(mail.to),
    cc: mailboxes(mail.cc),
    subject: mail.subject ?? null,
    message_id: mail.messageId,
    date: mail.date.toISOString(),
    text: mail.text ?? null,
    html: mail.html || null,
    attachments: mail.attachments.map(attachment => ({
      file_name: attachment.filename,
      type: attachment.contentType,
      disposition: attachment.contentDisposition,
      content_id: attachment.contentId ?? null,
      sha256: createHash('sha256').update(attachment.content).digest('hex'),
    })),
  }));
}
