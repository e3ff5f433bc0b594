import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** A scripted provider with a name and an address of its own, which answers every request alike. Default: its name. */
export const target = (name: string, answer: LlmTest.Answer = name): LlmTest.Scripted =>
  LlmTest.unsafeMake([LlmTest.repeat(answer)], { name, endpoint: `memory:${name}` })

/** The times at which its requests started, in milliseconds of the Clock. */
export const timesOf = ({ exchanges }: Pick<LlmTest.Service, "exchanges">): Effect.Effect<ReadonlyArray<number>> =>
  Effect.map(exchanges, (all) => all.map(({ startedAt }) => startedAt))

export const countOf = ({ requests }: Pick<LlmTest.Service, "requests">): Effect.Effect<number> =>
  Effect.map(requests, ({ length }) => length)

export const inFlightOf = ({ load }: Pick<LlmTest.Service, "load">): Effect.Effect<number> =>
  Effect.map(load, ({ inFlight }) => inFlight)

/** A layer of a provider that counts its builds. */
export const counted = ({ layer }: LlmTest.Scripted) => {
  const built = { times: 0 }
  return { built, layer: Layer.tap(layer, () => Effect.sync(() => void built.times++)) }
}
