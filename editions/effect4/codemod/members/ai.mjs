import { call } from "./forms.mjs"

/** The fields of a tool's schemas, which are structs in Effect 4, under their new names. */
const toolOf = (name) => (node, api) => {
  const make = api.use(node, "effect/ai/Tool", name)
  const options = api.ts.isCallExpression(node) ? node.arguments.at(-1) : undefined
  if (options === undefined || !api.ts.isObjectLiteralExpression(options)) return undefined
  const fields = options.properties.map((property) => {
    const { initializer } = property
    const key = property.name?.text === "toolkitName" ? "customName" : property.name?.text
    if (initializer === undefined) return api.render(property)
    return ["args", "parameters"].includes(key) && api.ts.isObjectLiteralExpression(initializer)
      ? `${key}: ${api.use(node, "effect/Schema", "Struct")}(${api.render(initializer)})`
      : `${key}: ${api.render(initializer)}`
  })
  return `${make}(${[...node.arguments.slice(0, -1).map(api.render), `{ ${fields.join(", ")} }`].join(", ")})`
}

/** The models of `@effect/ai`, and their tools. */
export const ai = {
  "@effect/ai/Chat": { Service: "Chat" },
  "@effect/ai/EmbeddingModel": { Service: "EmbeddingModel" },
  "@effect/ai/LanguageModel": { Service: "LanguageModel" },
  "@effect/ai/Prompt": {
    FromJson: (node, api) =>
      `${api.use(node, "effect/Schema", "fromJsonString")}(${api.use(node, "effect/ai/Prompt", "Prompt")})`,
    merge: "concat"
  },
  "@effect/ai/Tool": {
    getJsonSchemaFromSchemaAst: call(([ast], node, api) =>
      `${api.use(node, "effect/ai/Tool", "getJsonSchemaFromSchema")}(${ast.replace(/\.ast$/, "")})`
    ),
    make: toolOf("make"),
    providerDefined: toolOf("providerDefined")
  }
}
