/** Effect 3 and the library for it, for programs that are the same on both editions. */
export * as Effect from "effect/Effect"
export * as Layer from "effect/Layer"
export * as ManagedRuntime from "effect/ManagedRuntime"
export * as Redacted from "effect/Redacted"
export * as Schedule from "effect/Schedule"
export * as Schema from "effect/Schema"
export * as Stream from "effect/Stream"
export * as library from "../../dist/index.js"
