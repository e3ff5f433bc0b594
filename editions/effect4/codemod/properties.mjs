/** Properties and types of Effect 3 that have another name in Effect 4, by the declarations that have them. */

/** Names of properties, by the declaration that has them. */
export const properties = {
  "effect/Clock#Clock.unsafeCurrentTimeMillis": "currentTimeMillisUnsafe",
  "effect/Clock#Clock.unsafeCurrentTimeNanos": "currentTimeNanosUnsafe",
  "effect/Effect#Latch.await": (node, { own, render }) =>
    `${own("src/runtime/woken.ts", "awaitLatch")}(${render(node.expression)})`,
  "effect/Effect#Latch.unsafeClose": "closeUnsafe",
  "effect/Effect#Latch.unsafeOpen": "openUnsafe",
  "effect/Either#Left.left": "failure",
  "effect/Either#Right.right": "success",
  "effect/Fiber#Fiber.await": (node, { render, use }) =>
    `${use(node, "effect/Fiber", "await")}(${render(node.expression)})`,
  "effect/Fiber#RuntimeFiber.currentContext": "context",
  "effect/Fiber#RuntimeFiber.unsafeInterruptAsFork": "interruptUnsafe",
  "effect/Fiber#RuntimeFiber.unsafePoll": "pollUnsafe",
  "effect/LogLevel#All.label": (node, { render }) => `${render(node.expression)}.toUpperCase()`,
  "effect/LogLevel#All._tag": (node, { render }) => render(node.expression),
  "effect/Metric#Metric.unsafeUpdate": "updateUnsafe",
  "@effect/vitest#Methods.scopedLive": "live",
  "@effect/vitest#MethodsNonLive.scoped": "effect",
  "effect/Scope#Scope.strategy": "strategy",
  "effect/Schema#Annotable.annotations": "annotate",
  "effect/Schema#BrandSchema.annotations": "annotate",
  "effect/Schema#Record$.annotations": "annotate",
  "effect/Schema#Struct.annotations": "annotate",
  "effect/Schema#TypeLiteral.annotations": "annotate",
  "effect/Schema#optional.annotations": "annotateKey",
  "effect/Schema#propertySignature.annotations": "annotateKey"
}

/** Types with other arguments, or another name as a type than as a value. */
export const types = {
  "effect/Chunk#Chunk": (node, { render }) => `ReadonlyArray<${node.typeArguments.map(render).join(", ")}>`,
  "@effect/platform/HttpApp#Default": (node, { render, use }) => {
    const [error = "never", services] = node.typeArguments?.map(render) ?? []
    const request = `${use(node, "effect/http/HttpServerRequest", "HttpServerRequest")}`
    return `${use(node, "effect/Effect", "Effect")}<${
      use(node, "effect/http/HttpServerResponse", "HttpServerResponse")
    }, ${error}, ${services === undefined ? request : `${request} | ${services}`}>`
  },
  "@effect/platform/HttpServer#Address": (node, { use }) =>
    `${use(node, "effect/http/HttpServer", "HttpServer")}["Service"]["address"]`
}
