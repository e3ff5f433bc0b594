import { NodeHttpServer } from "@effect/platform-node"
import { Simulator } from "effect-llm/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createServer } from "node:http"

/** A simulator for who knows no Effects. */
export interface Running {
  readonly url: string
  /** What it received, by its outcomes: `answered`, or a fault with its name. */
  readonly outcomes: () => Promise<ReadonlyArray<string>>
  /** What it received. */
  readonly requests: () => Promise<ReadonlyArray<Simulator.ReceivedRequest>>
  /** Waits until a request has come: 1 is the first. */
  readonly arrival: (number: number) => Promise<void>
  /** Waits until a request has ended, and tells how. */
  readonly outcome: (number: number) => Promise<Simulator.Outcome | undefined>
}

const server = NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 })

/** Runs a test against a simulator of its own. */
export const simulated = (
  options: Simulator.Options,
  test: (simulator: Running) => Promise<void>
): Promise<void> =>
  Effect.gen(function*() {
    const context = yield* Layer.build(Layer.provide(Simulator.layer(options), server))
    const { awaitRequests, requests, url } = Context.get(context, Simulator.Simulator)
    yield* Effect.promise(() =>
      test({
        url,
        requests: () => Effect.runPromise(requests),
        outcomes: () =>
          Effect.runPromise(Effect.map(requests, (all) => all.map(({ fault, outcome }) => fault ?? outcome))),
        arrival: (number) => Effect.runPromise(Effect.asVoid(awaitRequests((all) => all.length >= number))),
        outcome: (number) =>
          awaitRequests((all) => (all[number - 1]?.outcome ?? "pending") !== "pending").pipe(
            Effect.map((all) => all[number - 1]?.outcome),
            Effect.runPromise
          )
      })
    )
  }).pipe(Effect.scoped, Effect.runPromise)

/** The first request meets a fault, all others are answered. */
export const once = (fault: Simulator.Fault): Simulator.Options => ({ faults: Simulator.sequence([fault]) })

/** Every request meets a fault. */
export const always = (fault: Simulator.Fault): Simulator.Options => ({ faults: Simulator.always(fault) })

/** What a promise fails with. */
export const failureOf = (promise: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(promise).then(
    (value) => {
      throw new Error(`Expected a failure, but got ${JSON.stringify(value)}`)
    },
    (error: unknown) => error
  )

/** Long enough for a request to arrive, however busy the machine. */
export const patience = 1500

export const key = "sk-simulated-0123456789abcdef"

/** Two sentences, of which an answer by `Echo:` is made. */
export const sentences = "The Elbe is a river, Grüße. It flows through Dresden to the North Sea."
