/**
 * Tools: a model that looks things up and acts. It calls a tool twice at once, and one of the calls fails; the failure is
 * sent to the model. Then it calls another tool, at first with wrong arguments. The model is scripted, the client is real.
 *
 *     npx tsx examples/tools.ts
 *
 * Look at turn 2: the arguments do not fit, the model gets the reason, and calls again.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Context, Effect, Layer, Schema } from "effect"
import { LlmCache, LlmClient, LlmLogger, LlmTool } from "effect-llm"
import { LlmTest } from "effect-llm/testing"

// ---------------------------------------------------------------------------------------------------------------------
// The program's services
// ---------------------------------------------------------------------------------------------------------------------

class Gauges extends Context.Tag("Gauges")<Gauges, {
  readonly level: (station: string) => Effect.Effect<number, "unknown station">
}>() {}

const GaugesLive = Layer.succeed(Gauges, {
  level: (station) => station === "Dresden" ? Effect.succeed(212) : Effect.fail("unknown station")
})

// ---------------------------------------------------------------------------------------------------------------------
// The tools
// ---------------------------------------------------------------------------------------------------------------------

/** The model is given the descriptions, and the failures that it can react to. */
const WaterLevel = LlmTool.make("water_level", {
  description: "The level of a river at a station, in centimeters.",
  parameters: Schema.Struct({ station: Schema.String.annotations({ description: "a city on the river" }) }),
  handler: ({ station }) =>
    Effect.flatMap(Gauges, (gauges) => gauges.level(station)).pipe(
      Effect.mapError((problem) => LlmTool.failure(`${problem}: ${station}`)),
      Effect.map((centimeters) => ({ station, centimeters })),
      Effect.tap(() => Console.log(`  water_level of ${station}`))
    )
})

const Warn = LlmTool.make("warn", {
  description: "Warns all ships on the river.",
  parameters: Schema.Struct({ hours: Schema.Int.pipe(Schema.between(1, 48)), text: Schema.NonEmptyString }),
  handler: ({ hours, text }) => Console.log(`  warn for ${hours} hours: ${text}`)
})

const program = Effect.gen(function*() {
  // The type has the services that the handlers need (Gauges), and their failures.
  const { messages, response, steps } = yield* LlmClient.runTools(
    { model: "scripted", prompt: "Is the Elbe high? Warn for two days if it is." },
    [WaterLevel, Warn],
    { concurrency: "unbounded", maxSteps: 5 }
  )
  for (const [i, step] of steps.entries()) {
    for (const { isError, name, result } of step.results) {
      const [line] = String(typeof result === "string" ? result : JSON.stringify(result)).split("\n")
      yield* Console.log(`turn ${i + 1}: ${name} ${isError === true ? "failed" : "gave"} ${line}`)
    }
  }
  yield* Console.log(`\n${response.text}`)
  yield* Console.log(
    `(${steps.length} turns, ${messages.length} messages, ${response.usage.outputTokens} output tokens)`
  )
  yield* Console.log("Look at turn 2: wrong arguments go back to the model, which calls again.")
})

// ---------------------------------------------------------------------------------------------------------------------
// The scripted model
// ---------------------------------------------------------------------------------------------------------------------

const ModelLive = LlmTest.layer([
  LlmTest.toolCalls([
    { id: "a", name: "water_level", arguments: { station: "Dresden" } },
    { id: "b", name: "water_level", arguments: { station: "Elbe" } }
  ]),
  LlmTest.toolCalls([{ id: "c", name: "warn", arguments: { hours: "two days", text: "The Elbe rises." } }]),
  LlmTest.toolCalls([{ id: "d", name: "warn", arguments: { hours: 48, text: "The Elbe rises." } }]),
  "The Elbe stands at 212 cm in Dresden. All ships are warned for two days."
], { inOrder: true })

const MainLive = LlmClient.layer().pipe(Layer.provide([ModelLive, LlmCache.layerNone, LlmLogger.layerSilent]))

NodeRuntime.runMain(Effect.provide(program, Layer.merge(MainLive, GaugesLive)))
