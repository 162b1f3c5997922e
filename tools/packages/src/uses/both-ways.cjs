// Every entry that is named can be required, and gives then what `import` gives.
const assert = require("node:assert/strict");

async function main() {
  for (const entry of process.argv.slice(2)) {
    const required = require(entry);
    if (entry.endsWith("/package.json")) continue;
    const imported = await import(entry);
    assert.deepEqual(Object.keys(required).sort(), Object.keys(imported).sort(), entry);
    assert.ok(Object.keys(imported).length > 0, `${entry} is empty.`);
    for (const name of Object.keys(imported)) assert.equal(required[name], imported[name], `${entry}: ${name}`);
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
