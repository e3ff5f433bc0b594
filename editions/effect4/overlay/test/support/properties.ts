// In place of the file: the properties of @effect/vitest 4 take arbitraries of Effect's, those of the tests fast-check's.
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as FastCheck from "fast-check"
import type { TestContext } from "vitest"

type Given = ReadonlyArray<FastCheck.Arbitrary<unknown>> | { readonly [name: string]: FastCheck.Arbitrary<unknown> }

type Values<Arbitraries extends Given> = {
  [Index in keyof Arbitraries]: Arbitraries[Index] extends FastCheck.Arbitrary<infer Value> ? Value : never
}

interface Options {
  readonly timeout?: number
  readonly fastCheck?: FastCheck.Parameters<unknown>
}

/** A property that is checked at once. */
export const prop = <const Arbitraries extends Given>(
  name: string,
  arbitraries: Arbitraries,
  check: (values: Values<Arbitraries>, context: TestContext) => void,
  options?: number | Options
): void =>
  it(name, { timeout: timeoutOf(options) }, (context) => {
    FastCheck.assert(
      FastCheck.property(together(arbitraries), (values) => {
        check(values as Values<Arbitraries>, context)
      }),
      parametersOf(options)
    )
  })

/** A property that is an effect, under the TestClock. */
export const effectProp = <const Arbitraries extends Given, A, E>(
  name: string,
  arbitraries: Arbitraries,
  check: (values: Values<Arbitraries>, context: TestContext) => Effect.Effect<A, E, Scope.Scope>,
  options?: number | Options
): void =>
  it(name, { timeout: timeoutOf(options) }, (context) =>
    FastCheck.assert(
      FastCheck.asyncProperty(together(arbitraries), (values) =>
        Effect.suspend(() => check(values as Values<Arbitraries>, context)).pipe(
          Effect.scoped,
          Effect.provide(TestClock.layer()),
          Effect.asVoid,
          Effect.runPromise
        )),
      parametersOf(options)
    ))

const together = (arbitraries: Given): FastCheck.Arbitrary<unknown> =>
  Array.isArray(arbitraries)
    ? FastCheck.tuple(...arbitraries)
    : FastCheck.record(arbitraries as { readonly [name: string]: FastCheck.Arbitrary<unknown> })

const timeoutOf = (options: number | Options | undefined): number =>
  (typeof options === "number" ? options : options?.timeout) ?? 20_000

const parametersOf = (options: number | Options | undefined): FastCheck.Parameters<[values: unknown]> =>
  (typeof options === "number" ? {} : options?.fastCheck ?? {}) as FastCheck.Parameters<[values: unknown]>
