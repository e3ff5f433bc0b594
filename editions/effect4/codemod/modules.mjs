/** The modules of Effect 3 that have another name in Effect 4. */

const moved = (from, to, names) => Object.fromEntries(names.map((name) => [`${from}/${name}`, `${to}/${name}`]))

export const modules = {
  "effect/Chunk": "effect/Array",
  "effect/ConfigError": "effect/Config",
  "effect/Either": "effect/Result",
  "effect/Encoding": "effect/encoding/Base64",
  "effect/FastCheck": "fast-check",
  "effect/ParseResult": "effect/SchemaIssue",
  "effect/TestClock": "effect/testing/TestClock",
  "@effect/opentelemetry/Otlp": "effect/observability/Otlp",
  "@effect/platform/Error": "effect/PlatformError",
  "@effect/platform/FileSystem": "effect/FileSystem",
  "@effect/platform/HttpApp": "effect/http/HttpEffect",
  "@effect/platform/KeyValueStore": "effect/persistence/KeyValueStore",
  "@effect/platform/Path": "effect/Path",
  "@effect/platform/SocketServer": "effect/socket/SocketServer",
  "@effect/platform/Terminal": "effect/Terminal",
  "@effect/experimental/Persistence": "effect/persistence/Persistence",
  "@effect/cli/Args": "effect/cli/Argument",
  "@effect/cli/Command": "effect/cli/Command",
  "@effect/cli/Options": "effect/cli/Flag",
  "@effect/experimental/Reactivity": "effect/reactivity/Reactivity",
  "@effect/platform-node/NodeContext": "@effect/platform-node/NodeServices",
  ...moved("@effect/platform", "effect/http", [
    "Cookies",
    "FetchHttpClient",
    "Headers",
    "HttpBody",
    "HttpClient",
    "HttpClientError",
    "HttpClientRequest",
    "HttpClientResponse",
    "HttpIncomingMessage",
    "HttpMiddleware",
    "HttpRouter",
    "HttpServer",
    "HttpServerError",
    "HttpServerRequest",
    "HttpServerResponse",
    "UrlParams"
  ]),
  ...moved("@effect/platform", "effect/http-api", ["HttpApi", "HttpApiBuilder", "HttpApiEndpoint", "HttpApiGroup"]),
  ...moved("@effect/ai", "effect/ai", [
    "AiError",
    "Chat",
    "EmbeddingModel",
    "LanguageModel",
    "Prompt",
    "Response",
    "Tool",
    "Toolkit"
  ]),
  ...moved("@effect/sql", "effect/sql", ["SqlClient", "SqlError", "Statement"]),
  ...moved("@effect/workflow", "effect/workflow", ["Activity", "Workflow", "WorkflowEngine"]),
  ...moved("@effect/cluster", "effect/cluster", [
    "ClusterWorkflowEngine",
    "RunnerAddress",
    "ShardingConfig",
    "SingleRunner"
  ])
}

/** Aliases of modules whose own name is one of the language. */
export const aliases = {
  "effect/Array": "Arr",
  "effect/Boolean": "Bool",
  "effect/Function": "Fn",
  "effect/Number": "Num",
  "effect/Record": "Rec",
  "effect/String": "Str",
  "fast-check": "FastCheck"
}

/** Modules that no other module exports as a namespace. */
export const solitary = new Set(["fast-check"])
