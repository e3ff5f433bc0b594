/* eslint-disable @typescript-eslint/no-require-imports -- It is what this file tries. */
/** CommonJS: `require` of the library, for Node 20.19 and later. */
const assert = require("node:assert")
const { LlmClient } = require("effect-llm")
const { Simulator } = require("effect-llm/testing")

assert.equal(typeof LlmClient.call, "function")
assert.equal(typeof Simulator.layer, "function")
// A module that is required and one that is imported are the same.
import("./suite.js").then(async ({ check }) => {
  assert.equal((await import("effect-llm")).LlmClient, LlmClient)
  console.log(JSON.stringify(await check(JSON.parse(process.argv[2]))))
})
