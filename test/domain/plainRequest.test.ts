import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"

// Requests of texts are read without the schema. They must come out as the schema reads them, or be left to it.

const bySchema = Schema.decodeUnknownEither(LlmRequest.LlmRequest, { onExcessProperty: "error" })

const oneOf = FastCheck.constantFrom
const text = FastCheck.oneof(FastCheck.string(), oneOf("", " ", "\n", "Name three rivers.", "\ud83d\ude00", "\ud83d"))
const number = FastCheck.oneof(
  FastCheck.double(),
  oneOf(0, -0, 1, 2, 2.000001, -1, 0.5, NaN, Infinity, 2 ** 53, 1_000)
)
const anything = FastCheck.oneof(text, number, FastCheck.anything({ maxDepth: 1 }))

/** Most fields are left out or right, so that many requests are. */
const field = <A>(right: FastCheck.Arbitrary<A>) =>
  FastCheck.oneof(
    { weight: 8, arbitrary: FastCheck.constant(undefined) },
    { weight: 3, arbitrary: right },
    { weight: 1, arbitrary: anything }
  )

const words = oneOf("Name three rivers.", " x ", "\ud83d\ude00")

const part = FastCheck.oneof(
  { weight: 8, arbitrary: FastCheck.record({ _tag: FastCheck.constant("Text"), text }) },
  FastCheck.record({ _tag: FastCheck.constant("Text"), text, signature: text }, { requiredKeys: ["_tag", "text"] }),
  FastCheck.record({ _tag: oneOf("Text", "Refusal", "Image"), text: anything, other: text }, {
    requiredKeys: ["_tag"]
  }),
  anything
)

const message = FastCheck.record({
  role: FastCheck.oneof({ weight: 8, arbitrary: oneOf("user", "assistant", "system") }, oneOf("tool", "developer", 1)),
  content: FastCheck.oneof(
    { weight: 12, arbitrary: words },
    { weight: 3, arbitrary: text },
    { weight: 4, arbitrary: FastCheck.array(part, { maxLength: 3 }) },
    { weight: 1, arbitrary: anything }
  )
})

const request = FastCheck.record({
  model: FastCheck.oneof({ weight: 8, arbitrary: oneOf("gpt-4o-mini", "m") }, anything),
  messages: FastCheck.oneof(
    { weight: 16, arbitrary: FastCheck.array(message, { minLength: 1, maxLength: 3 }) },
    FastCheck.array(anything, { maxLength: 2 }),
    anything
  ),
  system: field(words),
  temperature: field(oneOf(0, 0.5, 2)),
  maxTokens: field(oneOf(1, 1_000)),
  topP: field(oneOf(0, 0.5, 1)),
  topK: field(oneOf(1, 40)),
  seed: field(oneOf(0, -1, 7)),
  user: field(words),
  stop: field(FastCheck.array(words, { maxLength: 2 })),
  ...{ extra: FastCheck.oneof({ weight: 16, arbitrary: FastCheck.constant(undefined) }, anything) }
})

describe("plainRequest", () => {
  it("gives what the schema gives, and fails where it fails", () => {
    let succeeded = 0
    FastCheck.assert(
      FastCheck.property(request, (input) => {
        const fields = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined))
        // Sugar of the input, not of the schema.
        const expected = bySchema(typeof fields.stop === "string" ? { ...fields, stop: [fields.stop] } : fields)
        const actual = Effect.runSync(Effect.either(LlmRequest.decode(input as unknown as LlmRequest.Input)))
        assert.strictEqual(Either.isRight(actual), Either.isRight(expected))
        if (Either.isLeft(actual) || Either.isLeft(expected)) return
        succeeded++
        assert.deepStrictEqual(actual.right, expected.right)
        assert.instanceOf(actual.right, LlmRequest.LlmRequest)
      }),
      { numRuns: 3_000, seed: 7 }
    )
    assert.isAbove(succeeded, 200)
  })

  it("keeps nothing that the caller can still change", () => {
    const messages = [{ role: "user" as const, content: [{ _tag: "Text" as const, text: "Name three rivers." }] }]
    const { messages: kept } = Effect.runSync(LlmRequest.decode({ model: "m", messages }))
    messages[0]!.content[0]!.text = "changed"
    messages[0]!.content.push({ _tag: "Text", text: "more" })
    messages.push({ role: "user", content: [{ _tag: "Text", text: "more" }] })
    assert.deepStrictEqual(kept, [{ role: "user", content: [{ _tag: "Text", text: "Name three rivers." }] }])
  })
})
