import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Elapsed from "../runtime/elapsed.js"
import type { Connections } from "../wire/serverConnections.js"
import * as Access from "./access.js"
import type { Journal } from "./journal.js"
import { document } from "./page/document.js"
import { script } from "./page/script.js"
import { style } from "./page/style.js"

/** The least time between two updates of a page. */
const interval = "100 millis"

/** After this many intervals without a change there is a comment, so that a broken connection is noticed. */
const silentIntervals = 150

/**
 * The permissions of an answer in a browser: it may be shown here, run the page's own script, and send requests only to
 * this server.
 */
const security = {
  "cache-control": "no-store",
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'"
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff"
}

const text = (body: string, contentType: string, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(body, { contentType, status, headers: security })

const json = (value: unknown): HttpServerResponse.HttpServerResponse => text(JSON.stringify(value), "application/json")

const files: { readonly [path: string]: HttpServerResponse.HttpServerResponse } = {
  "/": text(document, "text/html; charset=utf-8"),
  "/inspector.css": text(style, "text/css; charset=utf-8"),
  "/inspector.js": text(script, "text/javascript; charset=utf-8")
}

/** Server-sent events with the changes. The first one has everything, also for a page that connects again. */
const updates = (journal: Journal, closed: Effect.Effect<void>): Stream.Stream<Uint8Array> => {
  let seen = -1
  let silent = 0
  const next: Effect.Effect<string> = Elapsed.nowWith((now) => {
    if (seen === journal.revision() && ++silent < silentIntervals) {
      return Effect.zipRight(Effect.sleep(interval), Effect.suspend(() => next))
    }
    silent = 0
    if (seen === journal.revision()) return Effect.succeed(":\n\n")
    const update = journal.changes(Math.max(seen, 0), now)
    const pause = seen < 0 ? Effect.void : Effect.sleep(interval)
    seen = update.revision
    return Effect.as(pause, `data: ${JSON.stringify(update)}\n\n`)
  })
  return Stream.repeatEffect(next).pipe(Stream.interruptWhen(closed), Stream.encodeText)
}

/** The page, as an `HttpApp`. */
export const make = ({ closed, connections, journal }: {
  readonly journal: Journal
  /** Completes when the page has to end. */
  readonly closed: Effect.Effect<void>
  readonly connections: Connections
}): HttpApp.Default => {
  const detailOf = (number: string): HttpServerResponse.HttpServerResponse => {
    const detail = journal.detail(Number(number))
    return detail === undefined ? text("This call is no longer kept.", "text/plain", 404) : json(detail)
  }

  const answer = (path: string): HttpServerResponse.HttpServerResponse => {
    const [, number] = /^\/calls\/(\d{1,15})$/.exec(path) ?? []
    if (number !== undefined) return detailOf(number)
    return path === "/events"
      ? HttpServerResponse.stream(updates(journal, closed), { contentType: "text/event-stream", headers: security })
      : files[path] ?? text("There is nothing here. The page is at /", "text/plain", 404)
  }

  return Effect.map(HttpServerRequest.HttpServerRequest, (request) => {
    connections.learn(request)
    const path = Option.match(HttpServerRequest.toURL(request), {
      onNone: () => "",
      onSome: ({ pathname }) => pathname
    })
    const refusal = Access.refusal({ method: request.method, path, headers: request.headers })
    return refusal === undefined ? answer(path) : text(refusal.message, "text/plain", refusal.status)
  })
}
