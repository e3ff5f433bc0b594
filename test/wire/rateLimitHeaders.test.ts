import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { RateLimit } from "../../src/domain/LlmResponse.js"
import { rateLimitHeaders } from "../../src/wire/rateLimitHeaders.js"

const now = Date.UTC(2026, 10, 22, 12, 0, 0)

const pools = ["requests", "tokens", "inputTokens", "outputTokens"] as const

type Count = number | undefined

type Shown = { readonly [pool in typeof pools[number]]?: readonly [limit: Count, remaining: Count, reset: Count] }

/** The pools that are known, each as limit, remaining, milliseconds until the reset. */
const read = (headers: Record<string, string>): Shown | undefined => {
  const known = rateLimitHeaders(headers, now)
  return known && Object.fromEntries(pools.flatMap((name) => {
    const pool = known[name]
    return pool === undefined
      ? []
      : [[name, [pool.limit, pool.remaining, pool.resetAfter && Duration.toMillis(pool.resetAfter)]]]
  }))
}

describe("rateLimitHeaders", () => {
  const table: ReadonlyArray<readonly [name: string, headers: Record<string, string>, expected: Shown | undefined]> = [
    ["no header at all", {}, undefined],
    ["other headers only", { "content-type": "application/json", "retry-after": "3" }, undefined],
    [
      "OpenAI",
      {
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-limit-tokens": "200000",
        "x-ratelimit-remaining-requests": "9999",
        "x-ratelimit-remaining-tokens": "199984",
        "x-ratelimit-reset-requests": "8.64s",
        "x-ratelimit-reset-tokens": "6m0s"
      },
      { requests: [10_000, 9999, 8640], tokens: [200_000, 199_984, 360_000] }
    ],
    [
      "Groq",
      {
        "x-ratelimit-limit-requests": "14400",
        "x-ratelimit-limit-tokens": "18000",
        "x-ratelimit-remaining-requests": "14370",
        "x-ratelimit-remaining-tokens": "17997",
        "x-ratelimit-reset-requests": "2m59.56s",
        "x-ratelimit-reset-tokens": "7.66s"
      },
      { requests: [14_400, 14_370, 179_560], tokens: [18_000, 17_997, 7660] }
    ],
    [
      "Azure, with plain seconds and no limits",
      {
        "x-ratelimit-remaining-requests": "9",
        "x-ratelimit-remaining-tokens": "880",
        "x-ratelimit-reset-tokens": "37"
      },
      { requests: [undefined, 9, undefined], tokens: [undefined, 880, 37_000] }
    ],
    [
      "Azure, where it does not know",
      {
        "x-ratelimit-limit-tokens": "-1",
        "x-ratelimit-remaining-tokens": "-1",
        "x-ratelimit-reset-tokens": "0"
      },
      undefined
    ],
    [
      "Anthropic",
      {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2026-11-22T12:00:01Z",
        "anthropic-ratelimit-tokens-limit": "100000",
        "anthropic-ratelimit-tokens-remaining": "98000",
        "anthropic-ratelimit-tokens-reset": "2026-11-22T12:01:00Z",
        "anthropic-ratelimit-input-tokens-limit": "80000",
        "anthropic-ratelimit-input-tokens-remaining": "79000",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-22T13:00:02+01:00",
        "anthropic-ratelimit-output-tokens-limit": "20000",
        "anthropic-ratelimit-output-tokens-remaining": "19000",
        "anthropic-ratelimit-output-tokens-reset": "2026-11-22T11:00:00Z"
      },
      {
        requests: [50, 49, 1000],
        tokens: [100_000, 98_000, 60_000],
        inputTokens: [80_000, 79_000, 2000],
        outputTokens: [20_000, 19_000, 0]
      }
    ],
    [
      "Together",
      {
        "x-ratelimit-limit": "10",
        "x-ratelimit-remaining": "9",
        "x-ratelimit-reset": "1",
        "x-tokenlimit-limit": "30000",
        "x-tokenlimit-remaining": "29990"
      },
      { requests: [10, 9, 1000], tokens: [30_000, 29_990, undefined] }
    ],
    [
      "OpenRouter, with epoch milliseconds",
      { "x-ratelimit-limit": "50", "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(now + 90_000) },
      { requests: [50, 0, 90_000] }
    ],
    [
      "epoch seconds",
      { "x-ratelimit-limit": "50", "x-ratelimit-reset": String(now / 1000 + 90) },
      { requests: [50, undefined, 90_000] }
    ],
    [
      "an epoch time that is past",
      { "x-ratelimit-remaining": "1", "x-ratelimit-reset": String(now - 1) },
      { requests: [undefined, 1, 0] }
    ],
    [
      "bad values beside good ones",
      {
        "x-ratelimit-limit-requests": "many",
        "x-ratelimit-remaining-requests": "3",
        "x-ratelimit-reset-requests": "soon",
        "x-ratelimit-limit-tokens": "",
        "x-ratelimit-remaining-tokens": "1e3",
        "x-ratelimit-reset-tokens": "1s",
        "anthropic-ratelimit-input-tokens-limit": "9".repeat(400)
      },
      { requests: [undefined, 3, undefined] }
    ],
    [
      "a known family behind one of bad values",
      { "x-ratelimit-limit-requests": "?", "anthropic-ratelimit-requests-limit": "50" },
      { requests: [50, undefined, undefined] }
    ]
  ]

  for (const [name, headers, expected] of table) {
    it(`reads the headers of ${name}`, () => {
      assert.deepStrictEqual(read(headers), expected)
    })
  }

  it("leaves out what is not known, instead of giving it as undefined", () => {
    assert.deepStrictEqual(rateLimitHeaders({ "x-ratelimit-limit-tokens": "7" }, now), { tokens: { limit: 7 } })
  })

  it("fits its schema whatever the headers say", () => {
    const isRateLimit = Schema.is(RateLimit)
    const value = FastCheck.oneof(
      FastCheck.string(),
      FastCheck.double().map(String),
      FastCheck.bigInt().map(String),
      FastCheck.constantFrom("-1", "0", "1e400", "6m0s", "2026-11-22T12:00:01Z", "9".repeat(400))
    )
    const name = FastCheck.constantFrom(
      ...["limit", "remaining", "reset"].flatMap((what) => [
        `x-ratelimit-${what}-requests`,
        `x-ratelimit-${what}-tokens`,
        `x-ratelimit-${what}`,
        `x-tokenlimit-${what}`,
        `anthropic-ratelimit-tokens-${what}`,
        `anthropic-ratelimit-input-tokens-${what}`
      ])
    )
    FastCheck.assert(FastCheck.property(FastCheck.dictionary(name, value), (headers) => {
      const known = rateLimitHeaders(headers, now)
      assert.isTrue(known === undefined || isRateLimit(known))
    }))
  })
})
