import { call, dual, E, flow, L, O, option } from "./forms.mjs"

/** A client whose requests have a reference of their own. */
const withReference = (reference) =>
  dual(
    2,
    (self, [value], api, node) =>
      `${api.use(node, "effect/http/HttpClient", "transformResponse")}(${self}, ${E(api, node, "provideService")}(${
        api.use(node, "effect/http/HttpClient", reference)
      }, ${value}))`
  )

/** HTTP, commands, and what keeps data. */
export const platform = {
  "@effect/experimental/Persistence": { layerMemory: "layerBackingMemory" },
  "@effect/platform-node/NodeContext": { NodeContext: "NodeServices" },
  "@effect/platform/HttpClientError": Object.fromEntries(
    ["RequestError", "ResponseError"].map((name) => [name, (node, api) => {
      const H = (member) => api.use(node, "effect/http/HttpClientError", member)
      if (!api.ts.isNewExpression(node)) return H("HttpClientError")
      const [fields] = node.arguments
      const given = fields.properties.find((property) => property.name?.text === "reason")
      const text =
        given !== undefined && api.ts.isPropertyAssignment(given) && api.ts.isStringLiteral(given.initializer)
          ? given.initializer.text
          : undefined
      const kind = text === undefined
        ? `${api.ns("effect/http/HttpClientError")}[\`\${${
          given?.initializer?.getText(api.sourceFile) ?? "reason"
        }}Error\`]`
        : H(`${text}Error`)
      const rest = fields.properties.filter((property) => property.name?.text !== "reason").map(api.render)
      return `new ${H("HttpClientError")}({ reason: new ${kind}({ ${rest.join(", ")} }) })`
    }])
  ),
  "@effect/platform/Error": {
    SystemError: (node, api) => {
      const P = (member) => api.use(node, "effect/PlatformError", member)
      if (!api.ts.isNewExpression(node)) return P("SystemError")
      const fields = node.arguments[0].properties.map((property) =>
        property.name?.text !== "reason"
          ? api.render(property)
          : `_tag: ${api.ts.isPropertyAssignment(property) ? api.render(property.initializer) : "reason"}`
      )
      return `${P("systemError")}({ ${fields.join(", ")} })`
    }
  },
  "@effect/platform/HttpClient": {
    withTracerDisabledWhen: withReference("TracerDisabledWhen"),
    withTracerPropagation: withReference("TracerPropagationEnabled"),
    currentTracerDisabledWhen: "TracerDisabledWhen",
    currentTracerPropagation: "TracerPropagationEnabled"
  },
  "@effect/platform/HttpServerRequest": {
    withMaxBodySize: dual(
      2,
      (self, [size], api, node) =>
        `${E(api, node, "provideService")}(${self}, ${
          api.use(node, "effect/http/HttpIncomingMessage", "MaxBodySize")
        }, ${api.use(node, "effect/Option", "getOrUndefined")}(${api.use(node, "effect/Option", "map")}(${size}, ${
          api.use(node, "effect/ByteSize", "fromInputUnsafe")
        })))`
    )
  },
  "@effect/platform/HttpMiddleware": {
    withTracerDisabledWhen: dual(
      2,
      (self, [when], api, node) =>
        `${L(api, node, "provide")}(${self}, ${L(api, node, "succeed")}(${
          api.use(node, "effect/http/HttpMiddleware", "TracerDisabledWhen")
        }, ${when}))`
    )
  },
  "@effect/platform/HttpClientRequest": { bodyUnsafeJson: "bodyJsonUnsafe" },
  "@effect/platform/HttpBody": { unsafeJson: "jsonUnsafe" },
  "@effect/platform/HttpServerResponse": { unsafeJson: "jsonUnsafe" },
  "@effect/sql/SqlError": {
    SqlError: (node, api) => {
      const error = api.use(node, "effect/sql/SqlError", "SqlError")
      return api.ts.isNewExpression(node)
        ? `new ${error}({ reason: new ${api.use(node, "effect/sql/SqlError", "UnknownError")}(${api.args(node)[0]}) })`
        : error
    }
  },
  // It has not been released for Effect 4.1.
  "@effect/sql-sqlite-node/SqliteClient": {
    layer: call((_, node, api) => `${api.own("src/jobs/sqlite.ts", "layer")}(${option(api, node, 0, "filename")})`)
  },
  "@effect/workflow/Workflow": {
    make: call((_, node, api) => {
      const [object] = node.arguments
      const rest = object.properties.filter(({ name }) => name?.text !== "name").map(api.render)
      return `${api.use(node, "effect/workflow/Workflow", "make")}(${option(api, node, 0, "name")}, { ${
        rest.join(", ")
      } })`
    })
  },
  "@effect/cluster/SingleRunner": {
    // Its messages have digests.
    layer: call((args, node, api) =>
      `${L(api, node, "provide")}(${api.use(node, "effect/cluster/SingleRunner", "layer")}(${args.join(", ")}), ${
        api.use(node, "effect/crypto/Digest", "layerWebCrypto")
      })`
    )
  },
  "@effect/cli/Args": {
    text: call((_, node, api) => `${api.use(node, "effect/cli/Argument", "String")}(${option(api, node, 0, "name")})`)
  },
  "@effect/cli/Command": {
    run: call(([command], node, api) =>
      `((argv: ReadonlyArray<string>) => ${api.use(node, "effect/cli/Command", "runWith")}(${command}, { version: ${
        option(api, node, 1, "version")
      } })(argv.slice(2)))`
    )
  },
  "@effect/cli/Options": {
    choice: "Literals",
    float: "Finite",
    integer: "Int",
    text: "String",
    // The name of the flag and the word "expected" stand before its message already.
    filterMap: call(([f], node, api) => {
      const expected = JSON.stringify(node.arguments[1].text.replace(/^--[\w-]+: expected /, ""))
      return `${api.use(node, "effect/cli/Flag", "filterMap")}(${f}, () => ${expected})`
    })
  },
  "@effect/platform-node/NodeHttpClient": {
    layer: "layerNodeHttp",
    layerWithoutAgent: "layerNodeHttpNoAgent",
    makeAgentLayer: "layerAgentOptions"
  },
  // What a store does not have is `undefined`.
  "@effect/platform/KeyValueStore": {
    makeStringOnly: call(([made], node, api) => {
      const get = option(api, node, 0, "get")
      return get === undefined
        ? undefined
        : `${api.use(node, "effect/persistence/KeyValueStore", "makeStringOnly")}({ ...${made}, get: ${
          flow(api, node)
        }(${get}, ${E(api, node, "map")}(${O(api, node, "getOrUndefined")})) })`
    })
  }
}
