// In place of declarations: a pull of Effect 4 gives arrays, and ends by `Cause.Done`.
import * as Arr from "effect/Array"
import * as PartFeed from "../runtime/partFeed.js"

export const choose = (
  choice: (open: Open) => Effect.Effect<Opened, LlmError>
): Stream.Stream<StreamPart, LlmError> =>
  Stream.unwrap(
    Effect.flatMap(Effect.scope, (scope) =>
      Effect.map(
        choice((provider, request) => open(provider, request, scope)),
        ({ parts }) => parts
      ))
  )

const openUninterruptibly = Effect.fnUntraced(function*(
  provider: LlmProvider.Service,
  request: LlmRequest,
  scope: Scope.Scope,
  restore: Admitting["restore"]
) {
  const own = yield* Scope.fork(scope)
  const feed = yield* PartFeed.fromStream(Stream.suspend(() => provider.stream(request))).pipe(Scope.provide(own))
  const first = yield* restore(feed).pipe(
    Effect.flatMap((parts) => parts === undefined ? Effect.fail(ended(provider, request)) : Effect.succeed(parts)),
    Effect.onError((cause) => Scope.close(own, Exit.failCause(cause)))
  )
  let begun = false
  const parts = Effect.suspend(() => {
    if (begun) return feed
    begun = true
    return Effect.succeed(first)
  })
  return {
    parts: PartFeed.toStream(Effect.succeed(parts)),
    response: Option.getOrUndefined(
      Option.flatMap(
        Arr.last(first),
        (part) => part._tag === "Finish" ? Option.some(part.response) : Option.none()
      )
    ),
    close: Scope.close(own, Exit.void)
  }
})
