import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Dispatcher } from "undici"
import { type Bytes, type Headers, readUpTo, type Text } from "./transport.js"
import * as Decoder from "./undiciDecoder.js"
import * as Utf8 from "./utf8.js"

/**
 * The bytes of a body that may wait for its reader; beyond that the connection waits. The same number as in undici's
 * own streams.
 */
const highWaterMark = 64 * 1024

/** The time and the bytes for the end of an answer once its rest does not matter. */
const lingerMillis = 500
const maxRest = 64 * 1024

type Controller = Dispatcher.DispatchController

type Fields = Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseStart"]>>[2]

const single = (headers: Fields): headers is { readonly [name: string]: string } => {
  for (const name in headers) if (typeof headers[name] !== "string") return false
  return true
}

/** Fields that came several times are one list, as RFC 9110 has it (5.3). */
const joined = (headers: Fields): Headers =>
  single(headers) ? headers : Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : value])
  )

const leftBehind = (): Error => Object.assign(new Error("the request was left"), { code: "UND_ERR_ABORTED" })

/** The reason why there is no answer, or no more of it. */
export interface Failed<E> {
  readonly error: E
}

/**
 * A request under way on a dispatcher of undici, and its answer, whose body waits here for one reader. The reader takes
 * all of the body that has arrived at once.
 */
export class Exchange<E> implements Dispatcher.DispatchHandler {
  status = 0
  headers: Headers = {}
  setCookie: ReadonlyArray<string> = []

  private controller: Controller | undefined
  private encodings: ReadonlyArray<string> = []
  private decoder: Decoder.Decoder | undefined
  private chunks: Array<Uint8Array> = []
  private waiting = 0
  private paused = false
  private ended = false
  private left = false
  private whole = false
  private lingering: NodeJS.Timeout | undefined
  private broken: Failed<E> | undefined
  /** The request until it is sent: a dispatcher keeps it, with its body, while it waits for a connection. */
  private queued: { body?: Dispatcher.DispatchOptions["body"] } | undefined
  /** Wakes the reader that waits for the head of the answer, or for more of it. */
  private wake: (() => void) | undefined

  constructor(private readonly failure: (cause: unknown) => E) {}

  // -------------------------------------------------------------------------------------------------------------------
  // For the one who asked
  // -------------------------------------------------------------------------------------------------------------------

  /** Sends the request. Calls back once, when the head of the answer has arrived or never will. */
  send(
    dispatcher: Dispatcher,
    request: Dispatcher.DispatchOptions,
    then: (failed: Failed<E> | undefined) => void
  ): void {
    this.wake = () => then(this.broken)
    this.queued = request
    try {
      dispatcher.dispatch(request, this)
    } catch (cause) {
      // Undici's own dispatchers report it to the handler; not all others do.
      this.onResponseError(undefined, cause)
    }
  }

  /** The source of the pieces of the body. */
  private get source(): Pick<Controller, "pause" | "resume"> | undefined {
    return this.decoder ?? this.controller
  }

  private take(): Exit.Exit<Bytes, E> | undefined {
    if (this.chunks.length > 0) {
      const { chunks } = this
      this.chunks = []
      this.waiting = 0
      if (this.paused) {
        this.paused = false
        this.source?.resume()
      }
      return Exit.succeed(chunks)
    }
    if (this.broken !== undefined) return Exit.fail(this.broken.error)
    return this.ended ? Exit.succeed(undefined) : undefined
  }

  /**
   * Waits for more of the body, and gives all pieces since the last time; `undefined` at its end. A read of the socket
   * can bring many pieces, one after the other: the reader takes them all when its fiber runs.
   */
  readonly pull: Effect.Effect<Bytes, E> = Effect.suspend(() =>
    this.take() ?? Effect.async<Bytes, E>((resume) => {
      // The reader may have made room for others before it came to wait.
      const taken = this.take()
      if (taken === undefined) this.wake = () => resume(this.pull)
      else resume(taken)
    })
  )

  /** Reads the body up to a number of bytes, and says whether it ended before them. */
  readonly text = (limit: number): Effect.Effect<Text, E> =>
    Effect.suspend(() => {
      // Mostly the whole body has come with the head.
      if (this.ended && this.waiting <= limit) {
        return Effect.succeed({ text: Utf8.decode(this.chunks.splice(0), limit), whole: true })
      }
      return Effect.map(readUpTo(this.pull, limit), (text) => {
        if (!text.whole) this.leave()
        return text
      })
    })

  /**
   * The rest of the body does not matter. When the exchange is left, its socket is not destroyed at once: mostly the
   * end follows, and then the next request needs no new connection.
   */
  readonly complete = (): void => {
    this.whole = true
  }

  /**
   * Aborts an exchange that has not ended: its socket is destroyed. A request that waits for a connection releases its
   * body at once.
   */
  leave(): void {
    if (this.ended || this.broken !== undefined || this.left) return
    this.left = true
    this.chunks = []
    this.decoder?.destroy()
    // The waiting callback is no longer needed, and it holds the request.
    this.wake = undefined
    if (this.queued !== undefined) this.queued.body = null
    if (!this.whole) return this.abort()
    this.waiting = 0
    if (this.paused || this.decoder !== undefined) this.controller?.resume()
    // eslint-disable-next-line no-restricted-globals -- nobody waits for it, so that it is no matter of the program's clock
    this.lingering = setTimeout(() => this.abort(), lingerMillis)
    this.lingering.unref()
  }

  private abort(): void {
    this.controller?.abort(leftBehind())
  }

  private notify(): void {
    const { wake } = this
    this.wake = undefined
    wake?.()
  }

  // -------------------------------------------------------------------------------------------------------------------
  // For the dispatcher
  // -------------------------------------------------------------------------------------------------------------------

  onRequestStart(controller: Controller): void {
    // It was left while it waited for a connection. Throwing drops the request; aborting would destroy the connection.
    if (this.left) throw leftBehind()
    this.queued = undefined
    this.controller = controller
  }

  onResponseStart(_: Controller, status: number, headers: Fields): void {
    // An informational head is not the answer.
    if (status < 200) return
    const { "set-cookie": cookies = [] } = headers
    this.status = status
    this.headers = joined(headers)
    this.encodings = Decoder.encodingsOf(this.headers["content-encoding"])
    this.setCookie = typeof cookies === "string" ? [cookies] : cookies
    this.notify()
  }

  onResponseData(controller: Controller, chunk: Uint8Array): void {
    if (this.left) {
      this.waiting += chunk.length
      if (this.lingering !== undefined && this.waiting > maxRest) this.abort()
      return
    }
    if (this.encodings.length === 0) return this.receive(chunk)
    this.decoder ??= Decoder.make(this.encodings, chunk, {
      data: (bytes) => this.receive(bytes),
      end: () => this.end(),
      error: (cause) => this.breakOff(cause),
      drain: () => controller.resume()
    })
    if (!this.decoder.write(chunk)) controller.pause()
  }

  onResponseEnd(): void {
    clearTimeout(this.lingering)
    if (this.decoder === undefined || this.left) this.end()
    else this.decoder.end()
  }

  onResponseError(_: Controller | undefined, cause: unknown): void {
    clearTimeout(this.lingering)
    this.decoder?.destroy()
    if (this.ended || this.broken !== undefined) return
    this.broken = { error: this.failure(cause) }
    this.notify()
  }

  // -------------------------------------------------------------------------------------------------------------------
  // The body, decoded
  // -------------------------------------------------------------------------------------------------------------------

  private receive(chunk: Uint8Array): void {
    this.waiting += chunk.length
    this.chunks.push(chunk)
    if (this.waiting > highWaterMark) {
      this.paused = true
      this.source?.pause()
    }
    this.notify()
  }

  private end(): void {
    this.ended = true
    this.notify()
  }

  /** The body cannot be decoded: the rest of it is useless. */
  private breakOff(cause: unknown): void {
    this.onResponseError(undefined, cause)
    this.abort()
  }
}
