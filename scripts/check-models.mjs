/**
 * Compares the facts about models with the model lists of the official SDKs in `test-sdks/`, and prints the models of
 * which only the family is known, or nothing: for these the data needs a line. Fails if there are any.
 *
 *   npm ci --prefix test-sdks && npm run check:models
 */
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import ts from "typescript"

const sdks = fileURLToPath(new URL("../test-sdks/node_modules/", import.meta.url))

/** Where an SDK lists its models: the unions of texts in a file of types, told by the name of a type or by a model. */
const lists = {
  openai: { sdk: "openai", file: "resources/shared.d.ts", holds: (name) => /^(?:ChatModel|AllModels)$/.test(name) },
  anthropic: {
    sdk: "@anthropic-ai/sdk",
    file: "resources/messages/messages.d.ts",
    holds: (name) => name === "Model"
  },
  gemini: {
    sdk: "@google/genai",
    file: "dist/genai.d.ts",
    holds: (_, texts) => texts.some((text) => text.startsWith("gemini-"))
  }
}

/** The texts in a union of types. */
const textsOf = (type) =>
  ts.isUnionTypeNode(type)
    ? type.types.flatMap(textsOf)
    : ts.isLiteralTypeNode(type) && ts.isStringLiteral(type.literal)
    ? [type.literal.text]
    : []

/** The models that the SDK of a provider names, and its version. */
export const modelsOf = (provider) => {
  const { file, holds, sdk } = lists[provider]
  const path = `${sdks}${sdk}/${file}`
  if (!existsSync(path)) throw new Error(`${path} is missing: run \`npm ci --prefix test-sdks\``)
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.ESNext)
  const names = new Set()
  for (const statement of source.statements) {
    if (!ts.isTypeAliasDeclaration(statement)) continue
    const texts = textsOf(statement.type)
    if (holds(statement.name.text, texts)) { for (const text of texts) names.add(text) }
  }
  if (names.size === 0) throw new Error(`${sdk} has no list of models in ${file} any more`)
  const { version } = JSON.parse(readFileSync(`${sdks}${sdk}/package.json`, "utf8"))
  return { sdk: `${sdk} ${version}`, names: [...names] }
}

export const providers = Object.keys(lists)

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { find } = await import("../src/providers/modelFacts.ts")
  let unknown = 0
  for (const provider of providers) {
    const { models, nameOf } = await import(`../src/providers/${provider}/models.ts`)
    const search = find(models, nameOf)
    const { names, sdk } = modelsOf(provider)
    const missing = names.filter((name) => search(name) === undefined)
    unknown += missing.length
    console.log(`${sdk}: ${names.length} models, ${missing.length} of them unknown`)
    for (const name of missing) console.log(`  ${name}`)
  }
  process.exitCode = unknown === 0 ? 0 : 1
}
