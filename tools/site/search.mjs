// Asks the search of a built site for each term, by the program that the browser runs, and prints the results as JSON:
//
//     node tools/site/search.mjs build/site/html retry "rate limit"
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {runInThisContext} from 'node:vm';

const [site, ...terms] = process.argv.slice(2);
const workers = join(site, 'assets', 'javascripts', 'workers');
const index = JSON.parse(readFileSync(join(site, 'search.json'), 'utf8'));

// What a worker of the browser has around it, and the kinds of its messages.
const SETUP = 0, QUERY = 2, FAILED = 4;
let answer;
globalThis.self = {postMessage: (message) => answer(message)};
runInThisContext(readFileSync(join(workers, readdirSync(workers).find((name) => name.startsWith('search'))), 'utf8'));

function ask(type, data) {
  return new Promise((resolve, reject) => {
    answer = (message) => message.type === FAILED ? reject(new Error(`no answer to ${JSON.stringify(data)}`)) : resolve(message.data);
    // A message is a copy: the program changes what it gets.
    self.onmessage({data: structuredClone({type, data})});
  });
}

await ask(SETUP, index);
const filter = {
  input: {type: 'operator', data: {operator: 'and', operands: []}},
  aggregation: {input: [{type: 'term', data: {field: 'tags'}}]},
};
const results = {};
for (const term of terms) {
  const {items} = await ask(QUERY, {input: term, filter});
  results[term] = items.map((item) => index.items[item.id].location);
}
console.log(JSON.stringify(results));
