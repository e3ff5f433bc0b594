import { assert, describe, it } from "@effect/vitest"
import { canonicalJson, NotCanonical } from "effect-llm/CacheKey"
import * as FastCheck from "effect/FastCheck"

const rejected = (value: unknown): { readonly path: string; readonly problem: string } => {
  try {
    canonicalJson(value)
  } catch (error) {
    assert.instanceOf(error, NotCanonical)
    const { path, problem } = error
    return { path, problem }
  }
  return assert.fail("it was accepted")
}

const fromBits = (hex: string): number => {
  const view = new DataView(new ArrayBuffer(8))
  view.setBigUint64(0, BigInt(`0x${hex}`))
  return view.getFloat64(0)
}

describe("canonicalJson", () => {
  describe("writes the numbers of RFC 8785, appendix B", () => {
    for (
      const [bits, expected] of [
        ["0000000000000000", "0"],
        ["8000000000000000", "0"],
        ["0000000000000001", "5e-324"],
        ["8000000000000001", "-5e-324"],
        ["7fefffffffffffff", "1.7976931348623157e+308"],
        ["ffefffffffffffff", "-1.7976931348623157e+308"],
        ["4340000000000000", "9007199254740992"],
        ["c340000000000000", "-9007199254740992"],
        ["4430000000000000", "295147905179352830000"],
        ["44b52d02c7e14af5", "9.999999999999997e+22"],
        ["44b52d02c7e14af6", "1e+23"],
        ["44b52d02c7e14af7", "1.0000000000000001e+23"],
        ["444b1ae4d6e2ef4e", "999999999999999700000"],
        ["444b1ae4d6e2ef4f", "999999999999999900000"],
        ["444b1ae4d6e2ef50", "1e+21"],
        ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
        ["3eb0c6f7a0b5ed8d", "0.000001"],
        ["41b3de4355555553", "333333333.3333332"],
        ["41b3de4355555554", "333333333.33333325"],
        ["41b3de4355555555", "333333333.3333333"],
        ["41b3de4355555556", "333333333.3333334"],
        ["41b3de4355555557", "333333333.33333343"],
        ["becbf647612f3696", "-0.0000033333333333333333"],
        ["43143ff3c1cb0959", "1424953923781206.2"]
      ] as const
    ) {
      it(`${bits} as ${expected}`, () => {
        assert.strictEqual(canonicalJson(fromBits(bits)), expected)
      })
    }

    for (const bits of ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"]) {
      it(`rejects ${bits}`, () => {
        assert.deepStrictEqual(rejected({ numbers: [1, fromBits(bits)] }), {
          path: "numbers[1]",
          problem: "is not a finite number"
        })
      })
    }
  })

  it("writes the sample of RFC 8785, section 3.2.2", () => {
    const sample = JSON.parse(String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`)
    assert.strictEqual(
      canonicalJson(sample),
      String
        .raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`
    )
  })

  it("sorts members by UTF-16 code units, as in the sample of RFC 8785, section 3.2.3", () => {
    const sample = {
      "\u20ac": "Euro Sign",
      "\r": "Carriage Return",
      "\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face",
      "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis"
    }
    assert.strictEqual(
      canonicalJson(sample),
      "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\"," +
        "\"\u00f6\":\"Latin Small Letter O With Diaeresis\",\"\u20ac\":\"Euro Sign\"," +
        "\"\ud83d\ude00\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}"
    )
  })

  it("sorts members that look like numbers as text, and a prefix before what it begins", () => {
    assert.strictEqual(
      canonicalJson({ 10: 1, 9: 2, b: 3, ab: 4, a: 5, A: 6, "": 7 }),
      "{\"\":7,\"10\":1,\"9\":2,\"A\":6,\"a\":5,\"ab\":4,\"b\":3}"
    )
  })

  it("sorts members at every depth and leaves the order of arrays", () => {
    assert.strictEqual(
      canonicalJson({ b: [{ d: 1, c: [2, 1] }, []], a: { z: {}, y: null } }),
      "{\"a\":{\"y\":null,\"z\":{}},\"b\":[{\"c\":[2,1],\"d\":1},[]]}"
    )
  })

  it("escapes what JSON asks for and nothing else", () => {
    assert.strictEqual(
      canonicalJson("\u0000\b\t\n\u000b\f\r\u001b\u001f \"\\/'<>&\u007f\u0085\u2028\u2029é\u{1F30A}"),
      "\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001b\\u001f \\\"\\\\/'<>&\u007f\u0085\u2028\u2029é\u{1F30A}\""
    )
  })

  it("does not normalise text: composed and decomposed letters differ", () => {
    assert.notStrictEqual(canonicalJson("\u00e9"), canonicalJson("e\u0301"))
  })

  it("takes a member that is undefined for absent", () => {
    assert.strictEqual(canonicalJson({ a: undefined, b: { c: undefined } }), "{\"b\":{}}")
  })

  it("writes members of every name, also those that objects have by nature", () => {
    assert.strictEqual(
      canonicalJson(JSON.parse("{\"__proto__\":1,\"constructor\":2,\"toString\":3}")),
      "{\"__proto__\":1,\"constructor\":2,\"toString\":3}"
    )
    assert.strictEqual(canonicalJson(Object.assign(Object.create(null), { a: 1 })), "{\"a\":1}")
  })

  describe("rejects, naming the path and not the value,", () => {
    const cyclic: { self?: unknown } = {}
    cyclic.self = [cyclic]

    for (
      const [what, value, path, problem] of [
        ["a lone high surrogate", { a: [{ b: "x\ud800y" }] }, "a[0].b", "holds a lone surrogate"],
        ["a lone low surrogate", "\udc00", "", "holds a lone surrogate"],
        ["surrogates in the wrong order", ["\ude00\ud83d"], "[0]", "holds a lone surrogate"],
        ["a lone surrogate in a member's name", { a: { "\ud83d": 1 } }, "a.\ud83d", "holds a lone surrogate"],
        ["NaN", { a: NaN }, "a", "is not a finite number"],
        ["Infinity", [[Infinity]], "[0][0]", "is not a finite number"],
        ["-Infinity", -Infinity, "", "is not a finite number"],
        ["undefined", undefined, "", "is of type undefined"],
        ["undefined in an array", [1, undefined], "[1]", "is of type undefined"],
        ["a hole in an array", [1, , 2], "[1]", "is of type undefined"],
        ["a bigint", { a: 1n }, "a", "is of type bigint"],
        ["a function", { a: () => 1 }, "a", "is of type function"],
        ["a symbol", { a: Symbol("s") }, "a", "is of type symbol"],
        ["a Date", { a: new Date(0) }, "a", "is neither a plain object nor an array"],
        ["a Map", { a: new Map([["k", 1]]) }, "a", "is neither a plain object nor an array"],
        ["bytes", { a: new Uint8Array([1]) }, "a", "is neither a plain object nor an array"],
        ["a boxed string", { a: Object("text") }, "a", "is neither a plain object nor an array"],
        ["a cycle", cyclic, "", "is nested deeper than 512 levels, or refers to itself"]
      ] as const
    ) {
      it(what, () => assert.deepStrictEqual(rejected(value), { path, problem }))
    }
  })

  it("writes 500 levels, and the same object twice", () => {
    const shared = { a: 1 }
    assert.strictEqual(canonicalJson([shared, shared]), "[{\"a\":1},{\"a\":1}]")
    let deep: unknown = []
    for (let level = 1; level < 500; level++) deep = [deep]
    assert.strictEqual(canonicalJson(deep), "[".repeat(500) + "]".repeat(500))
  })

  it("keeps the value, and is the same for every order of members", () => {
    const shuffled = (value: unknown, random: () => number): unknown => {
      if (Array.isArray(value)) return value.map((item) => shuffled(item, random))
      if (typeof value !== "object" || value === null) return value
      const entries = Object.entries(value).map(([key, member]) => [random(), key, shuffled(member, random)] as const)
      return Object.fromEntries(entries.sort((a, b) => a[0] - b[0]).map(([, key, member]) => [key, member]))
    }
    FastCheck.assert(FastCheck.property(
      FastCheck.jsonValue(),
      FastCheck.infiniteStream(FastCheck.double({ noNaN: true, min: 0, max: 1 })),
      (value, random) => {
        const written = canonicalJson(value)
        assert.deepStrictEqual(JSON.parse(written), JSON.parse(JSON.stringify(value)))
        assert.strictEqual(canonicalJson(JSON.parse(written)), written)
        assert.strictEqual(canonicalJson(shuffled(value, () => random.next().value)), written)
      }
    ))
  })

  it("writes any text so that it comes back, and rejects it exactly where it is not well-formed", () => {
    FastCheck.assert(FastCheck.property(FastCheck.string({ unit: "binary" }), FastCheck.string(), (text, other) => {
      assert.strictEqual(JSON.parse(canonicalJson(text)), text)
      assert.strictEqual(canonicalJson(text) === canonicalJson(other), text === other)
    }))
    FastCheck.assert(FastCheck.property(
      FastCheck.array(FastCheck.constantFrom("a", "\ud83d", "\ude00"), { maxLength: 6 }),
      (units) => {
        const text = units.join("")
        const wellFormed = encodeURIComponentAccepts(text)
        if (wellFormed) assert.strictEqual(canonicalJson(text), JSON.stringify(text))
        else assert.strictEqual(rejected(text).problem, "holds a lone surrogate")
      }
    ))
  })
})

/** The oldest test for well-formedness that ECMAScript has: independent of the one under test. */
const encodeURIComponentAccepts = (text: string): boolean => {
  try {
    encodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
