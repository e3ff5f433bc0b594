import type * as Chat from "@effect/ai/Chat"
import * as Prompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as KeptParts from "./keptParts.js"

/** The turns that an answer makes, with all of its parts. */
export const promptOf = (content: ReadonlyArray<Response.AnyPart>): Prompt.Prompt => {
  const prompt = Prompt.fromResponseParts(content)
  return Option.match(KeptParts.responseOf(content), {
    onNone: () => prompt,
    onSome: (response) => KeptParts.attach(prompt, 0, response)
  })
}

/** The same chat, which keeps all parts of answers in its history. */
export const make = <C extends Chat.Service>(chat: C): Effect.Effect<C> =>
  Effect.map(Effect.makeSemaphore(1), (turn) => {
    const length = Effect.map(Ref.get(chat.history), ({ content }) => content.length)

    /** Completes the turn that an answer has made in the history, after a number of older ones. */
    const keep = (content: ReadonlyArray<Response.AnyPart>, older: number): Effect.Effect<void> =>
      Option.match(KeptParts.responseOf(content), {
        onNone: () => Effect.void,
        onSome: (response) => Ref.update(chat.history, (history) => KeptParts.attach(history, older, response))
      })

    /** Asks, and completes the turn before the next one begins. */
    const kept = <A extends { readonly content: ReadonlyArray<Response.AnyPart> }, E, R>(
      ask: Effect.Effect<A, E, R>
    ): Effect.Effect<A, E, R> =>
      length.pipe(
        Effect.flatMap((older) => Effect.tap(ask, ({ content }) => keep(content, older))),
        turn.withPermits(1)
      )

    const keptStream = <A extends Response.AnyPart, E, R>(answer: Stream.Stream<A, E, R>): Stream.Stream<A, E, R> =>
      Stream.unwrapScoped(Effect.gen(function*() {
        yield* Effect.acquireRelease(turn.take(1), () => turn.release(1))
        const older = yield* length
        const content: Array<A> = []
        return answer.pipe(
          Stream.tap((part) => Effect.sync(() => content.push(part))),
          // The chat has written its history by then.
          Stream.ensuring(Effect.suspend(() => keep(content, older)))
        )
      }))

    const generateText: Chat.Service["generateText"] = (options) => kept(chat.generateText(options))
    const generateObject: Chat.Service["generateObject"] = (options) => kept(chat.generateObject(options))
    const streamText: Chat.Service["streamText"] = (options) => keptStream(chat.streamText(options))
    return { ...chat, generateText, generateObject, streamText }
  })
