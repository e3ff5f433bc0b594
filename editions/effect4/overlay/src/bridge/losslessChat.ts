// In place of declarations: the methods of a chat of Effect 4 have overloads, which no function is inferred to have.
import * as Semaphore from "effect/Semaphore"

/** The same chat, which keeps all parts of answers in its history. */
export const make = <C extends Chat.Chat>(chat: C): Effect.Effect<C> =>
  Effect.map(Semaphore.make(1), (turn) => {
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
      Stream.unwrap(Effect.gen(function*() {
        yield* Effect.acquireRelease(turn.take(1), () => turn.release(1))
        const older = yield* length
        const content: Array<A> = []
        return answer.pipe(
          Stream.tap((part) => Effect.sync(() => content.push(part))),
          // The chat has written its history by then.
          Stream.ensuring(Effect.suspend(() => keep(content, older)))
        )
      }))

    type Options = Parameters<Chat.Chat["generateText"]>[0]

    const generateText = ((options: Options) => kept(chat.generateText(options))) as Chat.Chat["generateText"]
    const generateObject: Chat.Chat["generateObject"] = (options) => kept(chat.generateObject(options))
    const streamText = ((options: Options) => keptStream(chat.streamText(options))) as Chat.Chat["streamText"]
    return { ...chat, generateText, generateObject, streamText }
  })
