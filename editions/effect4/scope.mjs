/** What the edition is made of, and what it leaves out, each with the reason. */

export const folders = ["src", "test"]

export const excluded = [
  {
    reason: "the bridge is to and from effect/ai, whose parts and errors are not those of @effect/ai",
    files: ["src/bridge/**", "test/bridge/**", "test/support/aiChatModel.ts"]
  },
  {
    reason: "the stores of SQL have been typed and not been run yet",
    files: [
      "src/stores/SqlStores.ts",
      "src/stores/sql/budgets.ts",
      "test/stores/SqlStores*",
      "test/stores/memoryStores.test.ts"
    ]
  },
  {
    reason: "tests of the repository itself: its rules, its bundles, its documentation, its examples",
    files: [
      "test/house.test.ts",
      "test/footprint.test.ts",
      "test/telemetry/dashboard.test.ts",
      "test/testing/examples.test.ts",
      "test/testing/quickstart.test.ts",
      "test/examples/**"
    ]
  },
  {
    reason:
      "the kinds of schemas that these go through are those of Effect 3: Option, Date and Map have no JSON in Effect 4",
    files: [
      "test/support/schemaKinds.ts",
      "test/support/arbitrarySchemas.ts",
      "test/client/object.property.test.ts",
      "test/output/jsonSchemaDialect.test.ts",
      "test/output/structuredOutput.conformance.test.ts"
    ]
  },
  {
    reason: "these mount a stream on HttpRouter and HttpApi, which Effect 4 has in another form",
    files: ["test/LlmStream.test.ts"]
  },
  {
    reason: "these start processes through @effect/platform/Command, or read MetricState",
    files: [
      "test/testing/Simulator.command.test.ts",
      "test/telemetry/LlmMetrics.test.ts",
      "test/stores/RedisStores.fleet.test.ts"
    ]
  },
  {
    reason: "it sends through Otlp of @effect/opentelemetry, which is effect/observability in Effect 4",
    files: ["test/telemetry/otlp.http.test.ts"]
  }
]

/** Files of tests that use what has no rule, for a few of their tests: `open.json` names these. */
export const unruled = [
  { file: "test/internal/freeze.test.ts", reason: "Effect 4 has no Data.struct" },
  { file: "test/testing/Simulator.test.ts", reason: "Effect 4 has no JSONSchema.make" },
  { file: "test/wire/http.transports.test.ts", reason: "the agent of NodeHttpClient is made in another way" }
]
