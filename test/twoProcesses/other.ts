/** The other process: it begins conversations, gives them away as JSON, and goes on with its own. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { begin, goOn, type Order, Stored } from "./conversation.js"

process.on("message", (order: Order) => {
  void Effect.gen(function*() {
    const messages = yield* begin(order)
    const stored = yield* Schema.encode(Stored)(messages)
    yield* goOn(order, messages)
    return stored
  }).pipe(Effect.runPromise).then(
    (stored) => process.send?.({ stored }),
    (error: unknown) => process.send?.({ failed: String(error) })
  )
})
