// Reads every message of a folder with mailauth and prints, a line each in order of names, the result of its DKIM signatures.
// usage: node verify-dkim.mjs FOLDER   (FOLDER/records.json: name -> text of the TXT record)
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';

const folder = process.argv[2];
const records = JSON.parse(readFileSync(join(folder, 'records.json'), 'utf8'));

const resolver = async (name, type) => {
    const text = type === 'TXT' && records[name];
    if (!text)
        throw Object.assign(new Error(`no ${type} record of ${name}`), { code: 'ENOTFOUND' });
    return [text.match(/.{1,255}/g)];
};

for (const file of readdirSync(folder).filter(name => name.endsWith('.eml')).sort()) {
    const { results } = await dkimVerify(readFileSync(join(folder, file)), { resolver });
    console.log(JSON.stringify({ file, results: results.map(r => r.status.result), comment: results.map(r => r.status.comment ?? '') }));
}
