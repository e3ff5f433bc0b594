import * as Effect from "effect/Effect"
import type { Dispatcher } from "undici"
import type { Reason } from "../domain/LlmError.js"
import { networkFailure, unsendable } from "./networkFailure.js"
import type { Incoming, Outgoing, Transport } from "./transport.js"
import { Exchange } from "./undiciExchange.js"

const reasonOf = (cause: unknown): Reason => {
  const reason = networkFailure(cause)
  const code = reason._tag === "NetworkFailed" ? reason.code : undefined
  return code === "UND_ERR_INVALID_ARG" || code === "UND_ERR_NOT_SUPPORTED" ? unsendable() : reason
}

/** As `Effect.ensuring` that it is left, but without a mask, as others handle interruption. */
const taken = <A, E, R>(exchange: Exchange<Reason>, use: (exchange: Exchange<Reason>) => Effect.Effect<A, E, R>) =>
  Effect.matchCauseEffect(Effect.suspend(() => use(exchange)), {
    onFailure: (cause) => {
      exchange.leave()
      return Effect.failCause(cause)
    },
    onSuccess: (value) => {
      exchange.leave()
      return Effect.succeed(value)
    }
  })

/** Carries requests over a dispatcher of undici, with nothing in between. */
export const make = (dispatcher: Dispatcher): Transport => {
  // A provider goes to the same address again and again.
  let last = { url: "", origin: "", path: "" }

  const addressOf = (url: string): typeof last => {
    if (last.url === url) return last
    const { origin, pathname, search } = new URL(url)
    return last = { url, origin, path: pathname + search }
  }

  const options = ({ body, headers, url }: Outgoing): Dispatcher.DispatchOptions & { readonly maxRedirections: 0 } => {
    const { origin, path } = addressOf(url)
    return {
      origin,
      path,
      method: body === undefined ? "GET" : "POST",
      headers,
      ...(body !== undefined && { body }),
      // The client has its own limits.
      headersTimeout: 0,
      bodyTimeout: 0,
      // For a dispatcher that would otherwise follow redirects.
      maxRedirections: 0
    }
  }

  return {
    exchange: <A, E, R>(outgoing: Outgoing, use: (exchange: Exchange<Reason>) => Effect.Effect<A, E, R>) =>
      Effect.async<A, E | Reason, R>((resume) => {
        const exchange = new Exchange(reasonOf)
        const leave = Effect.sync(() => exchange.leave())
        exchange.send(
          dispatcher,
          options(outgoing),
          (failed) => resume(failed === undefined ? taken(exchange, use) : Effect.fail(failed.error))
        )
        // The answer is taken within the region in which this runs on interruption.
        return leave
      }),
    open: (outgoing) =>
      Effect.suspend(() => {
        const exchange = new Exchange(reasonOf)
        return Effect.zipRight(
          Effect.addFinalizer(() => Effect.sync(() => exchange.leave())),
          Effect.async<Incoming, Reason>((resume) =>
            exchange.send(dispatcher, options(outgoing), (failed) =>
              resume(failed === undefined ? Effect.succeed(exchange) : Effect.fail(failed.error)))
          )
        )
      })
  }
}
