import { NodeHttpServer } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { LlmLogger } from "effect-llm"
import * as Inspector from "effect-llm/Inspector"
import { createServer } from "node:http"

/** Whether the example runs with `--inspect`: a page then shows its calls as they come. */
const isInspecting = process.argv.includes("--inspect")

const serverAt = (port: number) => NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port })

/** At port 4400, or at any free one where that is taken: the page's address is logged. */
const InspectorLive = Inspector.layer({ content: true }).pipe(
  Layer.provide(Layer.catchAll(serverAt(4400), () => serverAt(0))),
  Layer.orDie
)

/** Adds the page to a logger. */
export const inspected = <E, R>(
  logger: Layer.Layer<LlmLogger.LlmLogger, E, R>
): Layer.Layer<LlmLogger.LlmLogger, E, R> => isInspecting ? LlmLogger.layerMerge(logger, InspectorLive) : logger

/** Keeps the page, if there is one, for as long as it may be looked at. */
export const stay: Effect.Effect<void> = isInspecting
  ? Effect.zipRight(Console.log("The page stays open until you press Ctrl-C."), Effect.never)
  : Effect.void
