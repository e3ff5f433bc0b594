import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as FastCheck from "effect/FastCheck"
import { parseDate, parseDuration, retryAfter } from "../../src/wire/retryAfter.js"

const now = Date.UTC(2026, 10, 22, 12, 0, 0)

const imfDate = (millis: number): string => new Date(millis).toUTCString()

const millis = (duration: Duration.Duration | undefined): number | undefined =>
  duration === undefined ? undefined : Duration.toMillis(duration)

const wait = (headers: Record<string, string | undefined>): number | undefined => millis(retryAfter(headers, now))

const longestTimer = 2 ** 31 - 1

describe("retryAfter", () => {
  const table: ReadonlyArray<readonly [name: string, headers: Record<string, string>, expected: number | undefined]> = [
    ["nothing", {}, undefined],
    ["other headers only", { date: "Sun, 22 Nov 2026 12:00:00 GMT", "x-request-id": "7" }, undefined],
    ["zero seconds", { "retry-after": "0" }, 0],
    ["decimal seconds", { "retry-after": "0.1" }, 100],
    ["whole seconds", { "retry-after": "5" }, 5000],
    ["a minute", { "retry-after": "60" }, 60_000],
    ["more than a minute", { "retry-after": "61" }, 61_000],
    ["an hour", { "retry-after": "3600" }, 3_600_000],
    ["three days", { "retry-after": "277403" }, 277_403_000],
    ["spaces around", { "retry-after": "  12 " }, 12_000],
    ["negative seconds", { "retry-after": "-5" }, undefined],
    ["garbage", { "retry-after": "not-a-number" }, undefined],
    ["nothing but spaces", { "retry-after": "  " }, undefined],
    ["an empty value", { "retry-after": "" }, undefined],
    ["a unit", { "retry-after": "2s" }, undefined],
    // As HTTP clients join several fields.
    ["two fields, the longer", { "retry-after": "5, 10" }, 10_000],
    ["the same field twice", { "retry-after": "5,5" }, 5000],
    ["seconds and a date", { "retry-after": `5, ${imfDate(now + 7000)}` }, 7000],
    ["a date and seconds", { "retry-after": `${imfDate(now + 3000)}, 5` }, 5000],
    ["two dates", { "retry-after": `${imfDate(now + 3000)}, ${imfDate(now + 9000)}` }, 9000],
    ["garbage and seconds", { "retry-after": "soon, 5" }, 5000],
    ["two fields of milliseconds", { "retry-after-ms": "250, 300" }, 300],
    ["an exponent", { "retry-after": "1e3" }, undefined],
    ["a hexadecimal number", { "retry-after": "0x10" }, undefined],
    ["a trailing dot", { "retry-after": "5." }, undefined],
    ["a plus sign", { "retry-after": "+5" }, undefined],
    ["Infinity", { "retry-after": "Infinity" }, undefined],
    ["NaN", { "retry-after": "NaN" }, undefined],
    ["a date ahead", { "retry-after": imfDate(now + 5000) }, 5000],
    ["a date now", { "retry-after": imfDate(now) }, 0],
    ["a past date", { "retry-after": imfDate(now - 60_000) }, 0],
    ["a date of RFC 850", { "retry-after": "Sunday, 22-Nov-26 12:00:07 GMT" }, 7000],
    ["a date of RFC 850, past", { "retry-after": "Sunday, 06-Nov-94 08:49:37 GMT" }, 0],
    ["a date of asctime", { "retry-after": "Sun Nov 22 12:00:09 2026" }, 9000],
    ["a date of asctime, day of one digit", { "retry-after": "Tue Dec  1 12:00:00 2026" }, 9 * 86_400_000],
    // Never as the number 2026.
    ["a timestamp", { "retry-after": "2026-11-22T12:00:03Z" }, 3000],
    ["a day without a time", { "retry-after": "2026-12-01" }, undefined],
    ["a time without a zone", { "retry-after": "2026-12-01T00:00:00" }, undefined],
    ["a date that does not exist", { "retry-after": "Sun, 99 Nov 2026 12:00:00 GMT" }, undefined],
    ["a date in another zone than GMT", { "retry-after": "Sun, 22 Nov 2026 12:00:00 CET" }, undefined],
    ["milliseconds", { "retry-after-ms": "250" }, 250],
    ["decimal milliseconds, rounded up", { "retry-after-ms": "250.5" }, 251],
    ["milliseconds before seconds", { "retry-after-ms": "3000", "retry-after": "10" }, 3000],
    ["zero milliseconds before seconds", { "retry-after-ms": "0", "retry-after": "7" }, 0],
    ["garbage for milliseconds, then seconds", { "retry-after-ms": "abc", "retry-after": "7" }, 7000],
    ["garbage in both", { "retry-after-ms": "invalid", "retry-after": "not-a-number" }, undefined],
    ["negative milliseconds", { "retry-after-ms": "-1000" }, undefined],
    ["negative milliseconds, then seconds", { "retry-after-ms": "-1000", "retry-after": "7" }, 7000],
    ["long milliseconds before short seconds", { "retry-after-ms": "120000", "retry-after": "1" }, 120_000],
    ["Azure's milliseconds", { "x-ms-retry-after-ms": "1500", "retry-after": "2" }, 1500],
    ["two headers of milliseconds", { "retry-after-ms": "10", "x-ms-retry-after-ms": "20" }, 10],
    ["a date where milliseconds belong", { "retry-after-ms": imfDate(now + 1000) }, undefined],
    ["names in mixed case", { "Retry-After": "3" }, 3000],
    ["names in mixed case, in their order", { "Retry-After": "3", "Retry-After-Ms": "40" }, 40],
    ["more than a timer takes", { "retry-after": "2147484" }, longestTimer],
    ["more than a number takes", { "retry-after": "9".repeat(400) }, longestTimer]
  ]

  for (const [name, headers, expected] of table) {
    it(`reads ${name} as ${expected === undefined ? "nothing" : `${expected} ms`}`, () => {
      assert.strictEqual(wait(headers), expected)
    })
  }

  it("ignores dates where the time is not known, and nothing else", () => {
    assert.isUndefined(retryAfter({ "retry-after": imfDate(now) }, Number.NaN))
    assert.strictEqual(millis(retryAfter({ "retry-after": "3" }, Number.NaN)), 3000)
  })

  it("gives a time that a timer takes, or nothing, for any values", () => {
    const value = FastCheck.oneof(
      FastCheck.string(),
      FastCheck.double().map(String),
      FastCheck.integer().map(String),
      FastCheck.date({ noInvalidDate: true }).map((date) => date.toUTCString())
    )
    FastCheck.assert(FastCheck.property(value, value, value, FastCheck.double(), (a, b, c, now) => {
      const read = retryAfter({ "retry-after-ms": a, "x-ms-retry-after-ms": b, "retry-after": c }, now)
      if (read === undefined) return
      const waited = Duration.toMillis(read)
      assert.isTrue(Number.isSafeInteger(waited) && waited >= 0 && waited <= longestTimer)
    }))
  })

  it("never says less than the header does", () => {
    FastCheck.assert(FastCheck.property(FastCheck.nat(2_000_000_000), FastCheck.nat(999_999), (whole, micros) => {
      const seconds = `${Math.floor(whole / 1000)}.${String(micros).padStart(6, "0")}`
      const waited = wait({ "retry-after": seconds }) ?? -1
      assert.isAtLeast(waited, Number(seconds) * 1000 - 1e-3)
      assert.isBelow(waited, Number(seconds) * 1000 + 1)
    }))
  })
})

describe("parseDate", () => {
  it("reads the same moment in all forms", () => {
    const expected = Date.UTC(1994, 10, 6, 8, 49, 37)
    const forms = [
      "Sun, 06 Nov 1994 08:49:37 GMT",
      "Sunday, 06-Nov-94 08:49:37 GMT",
      "Sun Nov  6 08:49:37 1994",
      "1994-11-06T08:49:37Z",
      "1994-11-06t09:49:37.000+01:00",
      "1994-11-06 03:49:37-05:00"
    ]
    for (const form of forms) assert.strictEqual(parseDate(form, now), expected, form)
  })

  it("reads every IMF-fixdate as the platform does", () => {
    const moment = FastCheck.date({ min: new Date("1600-01-01"), max: new Date("9999-12-31"), noInvalidDate: true })
    FastCheck.assert(FastCheck.property(moment, (date) => {
      assert.strictEqual(parseDate(date.toUTCString(), now), Math.floor(date.getTime() / 1000) * 1000)
    }))
  })

  it("takes a year of two digits for one that is at most 50 years ahead", () => {
    assert.strictEqual(parseDate("Monday, 01-Jan-76 00:00:00 GMT", now), Date.UTC(2076, 0, 1))
    assert.strictEqual(parseDate("Monday, 01-Jan-77 00:00:00 GMT", now), Date.UTC(1977, 0, 1))
  })

  it("keeps the fraction of a timestamp, however long", () => {
    assert.strictEqual(parseDate("2026-11-22T12:00:00.123456789Z", now), now + 123.456789)
  })

  it("reads nothing into what is no date", () => {
    for (const text of ["", "now", "Sun, 22 Nov 2026", "22 Nov 2026 12:00:00 GMT", "2026-13-45T99:99:99Z", "1764"]) {
      assert.isUndefined(parseDate(text, now), text)
    }
  })
})

describe("parseDuration", () => {
  const table: ReadonlyArray<readonly [text: string, expected: number | undefined]> = [
    ["1s", 1000],
    ["17s", 17_000],
    ["0s", 0],
    ["6m0s", 360_000],
    ["12ms", 12],
    ["1h16m0.667s", 4_560_667],
    ["59.7s", 59_700],
    ["1.1s", 1100],
    ["2m59.56s", 179_560],
    ["7.66s", 7660],
    ["34.4s", 34_400],
    ["57.238747106s", 57_239],
    ["1.203608125s", 1204],
    ["36605.7s", 36_605_700],
    ["10h17m5.7s", 37_025_700],
    ["500us", 1],
    ["1500\u00b5s", 2],
    ["1500\u03bcs", 2],
    ["2000000ns", 2],
    [" 3s ", 3000],
    ["99999999h", longestTimer],
    ["", undefined],
    ["s", undefined],
    ["5", undefined],
    ["-5s", undefined],
    ["1e3s", undefined],
    ["5 s", undefined],
    ["5sec", undefined],
    ["1s later", undefined],
    ["1d", undefined]
  ]

  for (const [text, expected] of table) {
    it(`reads ${JSON.stringify(text)} as ${expected === undefined ? "nothing" : `${expected} ms`}`, () => {
      assert.strictEqual(millis(parseDuration(text)), expected)
    })
  }
})
