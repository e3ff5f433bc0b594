/** What the edition is made of, and what it leaves out, each with the reason. */

export const folders = ["src", "test", "examples"]

export const excluded = [
  {
    reason: "tests of the repository itself: its rules, its bundles, its documentation, its examples",
    files: [
      "test/house.test.ts",
      "test/footprint.test.ts",
      "test/telemetry/dashboard.test.ts",
      "test/telemetry/eventsPage.test.ts",
      "test/domain/retriesDiagram.test.ts",
      "test/testing/examples.test.ts",
      "test/testing/quickstart.test.ts",
      "test/examples/**"
    ]
  },
  {
    reason: "Effect 4 has no FiberRefs: what a client provides to its request ends with it",
    files: ["test/wire/http.fiberRefs.test.ts"]
  }
]

/** Tests that run on Effect 4, but whose types are those of Effect 3. */
export const untyped = [
  {
    reason: "effect/ai has failures of its own for tools, and metadata that is JSON",
    files: ["test/bridge/EffectAi.test-d.ts"]
  },
  {
    reason: "the schema of any type, Schema.Top, may need any services",
    files: [
      "test/output/StandardSchema.test.ts",
      "test/output/jsonSchemaDialect.test.ts",
      "test/support/arbitrarySchemas.ts"
    ]
  },
  { reason: "a store of texts lists its keys", files: ["test/stores/KeyValueCache.test.ts"] },
  { reason: "a tracer takes one object", files: ["test/stores/SqlStores.test.ts"] },
  { reason: "the parameters of an address are texts, and no secrets", files: ["test/testing/Cassette.test.ts"] }
]

/** Tests of what Effect 4 does not have. */
export const impossible = [
  {
    reason: "Effect 4 has no FiberRefs: a value that a fiber sets for itself reaches no other fiber by a join",
    tests: {
      "test/policy/Policy.test.ts": ["Policy.around > stream > keeps what the provider sets in a fiber"],
      "test/runtime/attemptClock.test.ts": [
        "the time of an attempt > is seen by its policies alone, also where the attempt has set a FiberRef that its caller keeps"
      ],
      "test/runtime/sharedRun.laws.test.ts": [
        "SharedRun > gives the FiberRefs that the work set to the caller that began it, and to no other"
      ]
    }
  },
  {
    reason: "Effect 4 does not describe its own filters: jsonSchemaDialect.effect4.test.ts has what it says",
    tests: {
      "test/output/jsonSchemaDialect.test.ts": [
        "jsonSchemaDialect > shows the model > the descriptions, titles and examples of annotations",
        "jsonSchemaDialect > shows the model > constraints by keyword where the dialect has it, and in words where it has not",
        "jsonSchemaDialect > shows the model > of a number in a text that it is bounded, but not that the text is",
        "jsonSchemaDialect > a dialect that a provider brings > has the keywords that it names, and says the rest in words"
      ]
    }
  },
  {
    reason: "Effect 4 logs nothing of a fiber that fails, whether anybody handles that or not",
    tests: {
      "test/runtime/limits.laws.test.ts": [
        "these laws look for the log's line about an unhandled fiber"
      ]
    }
  },
  {
    reason: "NumberFromString of Effect 4 makes NaN of a text that holds no number",
    tests: { "test/internal/schemaIssue.test.ts": ["schemaIssue > names a text that holds no number"] }
  },
  {
    reason: "scripts are of the repository: the package.json of the edition has none",
    tests: { "test/chaos.test.ts": ["under all faults, with random interruptions > has its command in package.json"] }
  },
  {
    reason: "Effect 4 interrupts the other request in the moment in which one has its answer: none can come in between",
    tests: {
      "test/policy/hedge/Hedge.test.ts": [
        "Hedge > under a client > charges an answer that came too late to the call"
      ]
    }
  }
]
