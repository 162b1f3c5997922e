// Every entry that is named can be required as from CommonJS, and gives then what `import` gives.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

type Values = Readonly<Record<string, unknown>>;
const require = createRequire(import.meta.url);

for (const entry of process.argv.slice(2)) {
  const required = require(entry) as Values;
  if (entry.endsWith("/package.json")) continue;
  const imported = (await import(entry)) as Values;
  assert.ok(Object.keys(imported).length > 0, `${entry} is empty.`);
  assert.deepEqual(Object.keys(required).toSorted(), Object.keys(imported).toSorted(), entry);
  for (const name of Object.keys(imported)) assert.equal(required[name], imported[name], `${entry}: ${name}`);
}
