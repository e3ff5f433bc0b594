/** What the edition is made of, and what it leaves out, each with the reason. */

export const folders = ["src", "test"]

export const excluded = [
  {
    reason: "the bridge is to and from effect/ai, whose parts and errors are not those of @effect/ai",
    files: ["src/bridge/**", "test/bridge/**", "test/support/aiChatModel.ts"]
  },
  {
    reason: "durable jobs run on @effect/workflow and @effect/cluster; those of Effect 4 have other clients and stores",
    files: [
      "src/jobs/**",
      "test/jobs/**",
      "test/support/jobs.ts",
      "test/support/workers.ts",
      "test/telemetry/jobSpan.test.ts"
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
    reason: "Effect 4 has no FiberRefs: what a client provides to its request ends with it",
    files: ["test/wire/http.fiberRefs.test.ts"]
  }
]

/** Files of tests that use what has no rule, for a few of their tests: `open.json` names these. */
export const unruled = [
  { file: "test/internal/freeze.test.ts", reason: "Effect 4 has no Data.struct" },
  { file: "test/testing/Simulator.test.ts", reason: "Effect 4 has no JSONSchema.make" }
]
