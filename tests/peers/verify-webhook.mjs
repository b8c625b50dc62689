// Verifies webhooks with the official library of Standard Webhooks. Takes a file of JSON: {secret, calls: [{headers, body}]}; prints for
// each call the event it holds, or the error.
import { readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';

const { secret, calls } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const receiver = new Webhook(secret);
console.log(JSON.stringify(calls.map(({ headers, body }) => {
  try {
    return { event: receiver.verify(body, headers) };
  } catch (error) {
    return { error: error.message };
  }
})));
