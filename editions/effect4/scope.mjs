/** What the edition is made of, and what it leaves out, each with the reason. */

export const folders = ["src", "test", "examples"]

export const excluded = [
  {
    reason: "it does not end on Effect 4",
    files: ["examples/resilient.ts"]
  },
  {
    reason: "tests of the repository itself: its rules, its bundles, its documentation, its examples",
    files: [
      "test/house.test.ts",
      "test/footprint.test.ts",
      "test/telemetry/dashboard.test.ts",
      "test/domain/retriesDiagram.test.ts",
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
    reason: "Effect 4 logs nothing of a fiber that fails, whether anybody handles that or not",
    tests: {
      "test/runtime/limits.laws.test.ts": [
        "what the log would show of a fiber that nobody handles is what these laws look for"
      ]
    }
  },
  {
    reason: "NumberFromString of Effect 4 makes NaN of a text that holds no number",
    tests: { "test/internal/schemaIssue.test.ts": ["schemaIssue > names a text that holds no number"] }
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

/** Files of tests that use what has no rule, for a few of their tests: `open.json` names these. */
export const unruled = [
  { file: "test/testing/Simulator.test.ts", reason: "Effect 4 has no JSONSchema.make" }
]
