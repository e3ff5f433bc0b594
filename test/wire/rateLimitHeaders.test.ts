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

  describe("knows the window", () => {
    type Stated = {
      readonly limit?: number
      readonly remaining?: number
      readonly seconds?: number
      readonly window: Window
    }
    type Window = "a minute" | "unknown" | number

    /** Each limit, its window in seconds. */
    const windowsOf = (headers: Record<string, string>) =>
      Object.fromEntries(pools.flatMap((kind) => {
        const stated = rateLimitHeaders(headers, now)?.[kind]
        if (stated === undefined) return []
        const { limit, remaining, resetAfter, window } = stated
        return [[kind, {
          ...(limit !== undefined && { limit }),
          ...(remaining !== undefined && { remaining }),
          ...(resetAfter !== undefined && { seconds: Duration.toSeconds(resetAfter) }),
          window: window === undefined ? "a minute" : window === "unknown" ? window : Duration.toSeconds(window)
        }]]
      }))

    const cases: { readonly [what: string]: readonly [Record<string, string>, { readonly [kind: string]: Stated }] } = {
      "of OpenAI's names: a minute": [
        {
          "x-ratelimit-limit-requests": "60",
          "x-ratelimit-remaining-requests": "59",
          "x-ratelimit-reset-requests": "1s",
          "x-ratelimit-limit-tokens": "1000"
        },
        {
          requests: { limit: 60, remaining: 59, seconds: 1, window: "a minute" },
          tokens: { limit: 1000, window: "a minute" }
        }
      ],
      "of OpenAI's names, used up to the end of the minute": [
        {
          "x-ratelimit-limit-requests": "60",
          "x-ratelimit-remaining-requests": "0",
          "x-ratelimit-reset-requests": "60"
        },
        { requests: { limit: 60, remaining: 0, seconds: 60, window: "a minute" } }
      ],
      "not of Groq's requests, which fill up in a day": [
        {
          "x-ratelimit-limit-requests": "14400",
          "x-ratelimit-remaining-requests": "14370",
          "x-ratelimit-reset-requests": "2m59.56s"
        },
        { requests: { limit: 14_400, remaining: 14_370, seconds: 179.56, window: "unknown" } }
      ],
      "not of a proxy with OpenAI's names that fills up in a second": [
        {
          "x-ratelimit-limit-requests": "10",
          "x-ratelimit-remaining-requests": "9",
          "x-ratelimit-reset-requests": "1",
          "x-ratelimit-limit-tokens": "100",
          "x-ratelimit-remaining-tokens": "0",
          "x-ratelimit-reset-tokens": "900ms"
        },
        {
          requests: { limit: 10, remaining: 9, seconds: 1, window: "unknown" },
          tokens: { limit: 100, remaining: 0, seconds: 0.9, window: "unknown" }
        }
      ],
      "not of Together and of others with bare names": [
        {
          "x-ratelimit-limit": "10",
          "x-ratelimit-remaining": "9",
          "x-ratelimit-reset": "1",
          "x-tokenlimit-limit": "300"
        },
        {
          requests: { limit: 10, remaining: 9, seconds: 1, window: "unknown" },
          tokens: { limit: 300, window: "unknown" }
        }
      ],
      "of Cerebras: a day and a minute": [
        {
          "x-ratelimit-limit-requests-day": "14400",
          "x-ratelimit-remaining-requests-day": "14399",
          "x-ratelimit-reset-requests-day": "33011.38",
          "x-ratelimit-limit-tokens-minute": "60000",
          "x-ratelimit-remaining-tokens-minute": "59000",
          "x-ratelimit-reset-tokens-minute": "11.38"
        },
        {
          requests: { limit: 14_400, remaining: 14_399, seconds: 33_011.38, window: 86_400 },
          tokens: { limit: 60_000, remaining: 59_000, seconds: 11.38, window: "a minute" }
        }
      ],
      "of Mistral: a minute before a month": [
        {
          "x-ratelimit-limit-req-minute": "60",
          "x-ratelimit-remaining-req-minute": "59",
          "x-ratelimit-limit-tokens-minute": "500000",
          "x-ratelimit-remaining-tokens-minute": "499000",
          "x-ratelimit-limit-tokens-month": "1000000000",
          "x-ratelimit-remaining-tokens-month": "999000000",
          "x-ratelimit-tokens-query-cost": "12"
        },
        {
          requests: { limit: 60, remaining: 59, window: "a minute" },
          tokens: { limit: 500_000, remaining: 499_000, window: "a minute" }
        }
      ],
      "of Mistral, where less is left of the month": [
        {
          "x-ratelimitbysize-limit-minute": "500000",
          "x-ratelimitbysize-remaining-minute": "499000",
          "x-ratelimitbysize-limit-month": "1000000000",
          "x-ratelimitbysize-remaining-month": "12"
        },
        { tokens: { limit: 1_000_000_000, remaining: 12, window: 2_592_000 } }
      ],
      "of a gateway that names it": [
        { "x-ratelimit-limit-second": "5", "x-ratelimit-remaining-second": "4", "x-ratelimit-limit-hour": "1000" },
        { requests: { limit: 5, remaining: 4, window: 1 } }
      ],
      "in the fields of the IETF: numbers and a policy": [
        {
          "ratelimit-limit": "100, 100;w=10",
          "ratelimit-remaining": "50",
          "ratelimit-reset": "5",
          "ratelimit-policy": "100;w=10, 5000;w=3600"
        },
        { requests: { limit: 100, remaining: 50, seconds: 5, window: 10 } }
      ],
      "in the fields of the IETF: numbers alone": [
        { "ratelimit-limit": "100", "ratelimit-remaining": "50", "ratelimit-reset": "5" },
        { requests: { limit: 100, remaining: 50, seconds: 5, window: "unknown" } }
      ],
      "in the fields of the IETF: members": [
        { ratelimit: "limit=100, remaining=50, reset=5", "ratelimit-policy": "100;w=60" },
        { requests: { limit: 100, remaining: 50, seconds: 5, window: "a minute" } }
      ],
      "in the fields of the IETF: named policies": [
        {
          ratelimit: "\"burst\";r=9;t=1, \"daily, all\";r=900;t=4000, \"tokens\";r=70;t=8, \"bytes\";r=1;t=1",
          "ratelimit-policy":
            "\"burst\";q=10;w=1, \"daily, all\";q=1000;w=86400, \"tokens\";q=90;w=60, \"bytes\";q=5;w=1;qu=\"content-bytes\""
        },
        {
          requests: { limit: 10, remaining: 9, seconds: 1, window: 1 },
          tokens: { limit: 90, remaining: 70, seconds: 8, window: "a minute" }
        }
      ],
      "of resets that are days away": [
        {
          "x-ratelimit-limit": "100",
          "x-ratelimit-reset": "1d2h",
          "x-tokenlimit-limit": "9",
          "x-tokenlimit-reset": "2d"
        },
        {
          requests: { limit: 100, seconds: 93_600, window: "unknown" },
          tokens: { limit: 9, seconds: 172_800, window: "unknown" }
        }
      ],
      "and nothing of fields without sense": [
        {
          ratelimit: ";;=,\"",
          "ratelimit-policy": "\"\";w=x",
          "ratelimit-limit": "-1",
          "ratelimit-remaining": "many",
          "x-ratelimit-limit-requests-day": "1e9"
        },
        {}
      ]
    }

    for (const [what, [headers, expected]] of Object.entries(cases)) {
      it(what, () => assert.deepStrictEqual(windowsOf(headers), expected))
    }

    it("of hostile fields, in time that does not explode", () => {
      for (const piece of [";", ",", "\"", "=", "a;", "\"a\",", "x;w=1,", " "]) {
        const field = piece.repeat(100_000)
        rateLimitHeaders({ ratelimit: field, "ratelimit-policy": field, "ratelimit-limit": field }, now)
      }
    })
  })

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
