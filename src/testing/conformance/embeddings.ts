import * as Effect from "effect/Effect"
import * as Embedding from "../../domain/Embedding.js"
import type * as LlmError from "../../domain/LlmError.js"
import { type Entry, expect, make, same, show, type Subject, Violation } from "./check.js"
import { type Failing, failing, printed, reasonOf } from "./errors.js"
import { abortsRequest } from "./interruption.js"

const texts = [
  "The Elbe is a river that flows into the North Sea.",
  "The Oder is a river that flows into the Baltic Sea.",
  "A good pizza needs a very hot oven, and little else."
] as const

const embed = (
  { provider }: Subject,
  model: string,
  input: ReadonlyArray<string>
): Effect.Effect<Embedding.Response, LlmError.LlmError | Violation> =>
  Effect.gen(function*() {
    const request = yield* Effect.orDie(Embedding.decode({ model, input }))
    return provider.embed === undefined
      ? yield* new Violation({ expected: "a provider with embeddings", actual: "one without" })
      : yield* provider.embed(request)
  })

const embedded = (
  subject: Subject,
  model: string,
  input: ReadonlyArray<string> = texts
): Effect.Effect<Embedding.Response, Violation> =>
  Effect.mapError(
    embed(subject, model, input),
    (error) => error._tag === "Violation" ? error : new Violation({ expected: "embeddings", actual: error.message })
  )

/** The failure of a request that must fail. */
const failureOf = (subject: Subject, model: string): Effect.Effect<LlmError.LlmError, Violation> =>
  Effect.matchEffect(embed(subject, model, texts), {
    onFailure: (error) => error._tag === "Violation" ? error : Effect.succeed(error),
    onSuccess: ({ usage }) => new Violation({ expected: "a failure", actual: show(usage) })
  })

const fails = (model: string) => (situation: Failing): Entry => {
  const { reason, retry } = reasonOf(situation)
  return make(`embed: ${situation} is ${reason}`, { situation }, (subject) =>
    Effect.gen(function*() {
      const error = yield* failureOf(subject, model)
      yield* expect(error.reason._tag === reason, `the reason ${reason}`, error.message)
      yield* same("isRetryable", error.isRetryable, retry)
      yield* same("operation", error.operation, "embed")
      yield* same("model", error.model, model)
      yield* same("attempts", error.attempts, 1)
      const all = printed(error)
      const secret = [...subject.harness.secrets, ...texts].find((each) => all.includes(each))
      yield* expect(secret === undefined, "an error that shows neither the key nor a text", secret)
    }))
}

export const embeddings = (model: string): ReadonlyArray<Entry> => [
  make("embed: gives one vector for each text, all of one length", {}, (subject) =>
    Effect.gen(function*() {
      const response = yield* embedded(subject, model)
      const [first = []] = response.embeddings
      yield* same("the number of vectors", response.embeddings.length, texts.length)
      yield* expect(first.length > 0, "numbers", first)
      yield* expect(
        response.embeddings.every((vector) => vector.length === first.length && vector.every(Number.isFinite)),
        `vectors of ${first.length} finite numbers`,
        response.embeddings.map((vector) => vector.length)
      )
      yield* same("provider", response.provider, subject.provider.name)
      yield* expect(response.model !== "", "the name of the model", response.model)
    })),

  make("embed: keeps the order of the texts", {}, (subject) =>
    Effect.gen(function*() {
      const { embeddings: [elbe = [], oder = [], pizza = []] } = yield* embedded(subject, model)
      yield* expect(
        Embedding.similarity(elbe, oder) > Embedding.similarity(elbe, pizza),
        "two rivers to be closer to each other than to a pizza",
        [Embedding.similarity(elbe, oder), Embedding.similarity(elbe, pizza)]
      )
      const { embeddings: [pizzaFirst = [], oderNext = []] } = yield* embedded(subject, model, [texts[2], texts[1]])
      yield* expect(
        Embedding.similarity(pizza, pizzaFirst) > 0.99 && Embedding.similarity(oder, oderNext) > 0.99,
        "the same vectors in another order",
        [Embedding.similarity(pizza, pizzaFirst), Embedding.similarity(oder, oderNext)]
      )
    })),

  make("embed: sends its request once", { counts: true }, (subject) =>
    Effect.gen(function*() {
      const before = yield* subject.harness.received
      yield* embedded(subject, model)
      yield* same("the requests sent", (yield* subject.harness.received) - before, 1)
    })),

  ...failing.map(fails(model)),

  make(
    "embed: interrupting it aborts its request",
    { situation: "silence", counts: true },
    (subject) => abortsRequest(subject, embed(subject, model, texts))
  )
]
