// Fills templates in with npm's handlebars: a JSON file of {data, templates: [{source, html}]}, answered by a list of texts,
// null where it throws.
import { readFileSync } from 'node:fs';
import Handlebars from 'handlebars';

const { data, templates } = JSON.parse(readFileSync(process.argv[2]));
console.log(JSON.stringify(templates.map(({ source, html }) => {
  try {
    return Handlebars.compile(source, { noEscape: !html })(data);
  } catch (fault) {
    return null;
  }
})));
