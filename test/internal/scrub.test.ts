import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Quotations from "../../src/internal/quotations.js"
import { scrub } from "../../src/internal/scrub.js"
import { formsOf } from "../../src/internal/secretForms.js"

const words = (count: number): string => Array.from({ length: count }, (_, n) => `word${n}`).join(" ")

describe("scrub", () => {
  it("leaves ordinary text as it is", () => {
    for (
      const text of [
        "Rate limit reached for gpt-4o-mini on tokens per min (TPM): Limit 30000, Used 29000, Requested 1500.",
        "This model's maximum context length is 128000 tokens. (param: messages)",
        "Invalid value: 'tools[0].function.name'. Expected [a-zA-Z0-9_-]{1,64}.",
        "The model `claude-sonnet-4-5-20250929` does not exist; see https://example.com/docs?page=keys#api-key",
        "Basic plan: skateboarding-instructors and pkginstallmanagers are welcome.",
        "Tokens: prompt 10, secret sauce none. 世界 \u{1F30A}"
      ]
    ) {
      assert.strictEqual(scrub(text, { secrets: ["another-key"], sources: ["An entirely different prompt."] }), text)
    }
  })

  describe("takes out what has a key's shape:", () => {
    for (
      const key of [
        "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789",
        "sk-ant-api03-abcdefghijklmnop",
        "sk-or-v1-0123456789abcdef",
        "sk-proj-************************abcd",
        "pk-abcdefghijklmnop",
        "gsk_abcdefghijklmnopqrstuvwx",
        "xai-abcdefghijklmnopqrstuvwx",
        "hf_abcdefghijklmnopqrstuvwx",
        "r8_abcdefghijklmnopqrstuvwx",
        "pplx-abcdefghijklmnopqrstuvwx",
        "nvapi-abcdefghijklmnopqrstuvwx",
        "ghp_abcdefghijklmnopqrstuvwx",
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "AIzaSyA-abcdefghijklmnopqrstuvwxyz01234",
        "ya29.a0AfH6SMBabcdefghijklmnop",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
      ]
    ) {
      it(key, () => {
        assert.strictEqual(scrub(`Incorrect key: ${key}.`).replace(/\.$/, ""), "Incorrect key: <redacted>")
        assert.strictEqual(scrub(`{"key":"${key}","n":1}`), "{\"key\":\"<redacted>\",\"n\":1}")
      })
    }

    for (
      const [text, expected] of [
        ["authorization: Bearer abc.def-123", "authorization: <redacted>"],
        ["Authorization: Basic dXNlcjpwYXNz", "Authorization: <redacted>"],
        [
          "Incorrect API key provided: my-own-key. See the docs.",
          "Incorrect API key provided: <redacted> See the docs."
        ],
        ["api_key=0123456789&n=1", "api_key=<redacted>&n=1"],
        ["{\"apiKey\": \"0123456789\", \"n\": 1}", "{\"apiKey\": \"<redacted>\", \"n\": 1}"],
        ["access-token: 0123456789", "access-token: <redacted>"],
        ["secret key = 0123456789", "secret key = <redacted>"]
      ] as const
    ) {
      it(text, () => assert.strictEqual(scrub(text), expected))
    }
  })

  it("lets no given secret survive, wherever it stands and whatever stands around it", () => {
    const secret = FastCheck.stringMatching(/^[A-Za-z0-9_.+/=-]{8,60}$/).filter((text) => !"<redacted>".includes(text))
    const around = FastCheck.oneof(
      FastCheck.string({ unit: "binary", maxLength: 40 }),
      FastCheck.constantFrom(" ", "\n", "\"", "key=", "sk-", "Bearer "),
      FastCheck.nat(8_000).map((length) => " ".repeat(length)),
      FastCheck.nat(8_000).map((length) => "x ".repeat(length / 2)),
      FastCheck.nat(8_000).map((length) => "x".repeat(length))
    )
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(secret, { minLength: 1, maxLength: 3 }),
        FastCheck.array(around, { minLength: 1, maxLength: 6 }),
        FastCheck.boolean(),
        (secrets, pieces, quoted) => {
          const text = pieces.flatMap((piece, n) => [piece, secrets[n % secrets.length]]).join("")
          const shown = scrub(text, { secrets, sources: quoted ? pieces : [] })
          for (const secret of secrets) assert.notInclude(shown, secret)
          assert.isAtMost(shown.length, 500)
          assert.notMatch(shown, /[\r\n\t]/)
        }
      ),
      { numRuns: 500 }
    )
  })

  it("lets no part of a secret survive where the text is cut", () => {
    const secret = "hfQ0mYt3XoA7vWb2"
    const source = words(600)
    for (let start = 3_900; start <= 4_000; start++) {
      // All but the secret is quoted, so that what is left is short.
      const text = source.slice(0, start) + secret + source
      const shown = scrub(text, { secrets: [secret], sources: [source] })
      for (let i = 0; i + 5 <= secret.length; i++) assert.notInclude(shown, secret.slice(i, i + 5))
    }
  })

  describe("takes out a given secret that is written", () => {
    const percent = (text: string) => text.replace(/[^a-z]/gi, (unit) => encodeURIComponent(unit))
    const every = (text: string) => Buffer.from(text).toString("hex").replace(/../g, "%$&")
    const base64 = (text: string, encoding: "base64" | "base64url" = "base64") => Buffer.from(text).toString(encoding)
    const writings: { readonly [how: string]: (secret: string) => string } = {
      "in upper case": (secret) => secret.toUpperCase(),
      "in lower case": (secret) => secret.toLowerCase(),
      "in base64": base64,
      "in base64 for addresses": (secret) => base64(secret, "base64url"),
      "in base64, one character into a longer text": (secret) => base64(`:${secret}:`),
      "in base64, two characters into a longer text": (secret) => base64(`{"${secret}"}`),
      "in base64 for addresses, behind a user": (secret) => base64(`user:${secret}`, "base64url"),
      "in base64, in lines": (secret) => base64(secret).replace(/.{10}/g, "$&\n"),
      "in hexadecimal": (secret) => Buffer.from(secret).toString("hex"),
      "in upper-case hexadecimal, in pairs": (secret) =>
        Buffer.from(secret).toString("hex").toUpperCase().replace(/../g, "$& "),
      "with percents where an address needs them": percent,
      "with percents throughout": every,
      "with percents twice": (secret) => encodeURIComponent(every(secret)),
      "with escapes of a language": (secret) => Buffer.from(secret).toString("hex").replace(/../g, "\\x$&"),
      "with spaces in between": (secret) => [...secret].join(" "),
      "in groups": (secret) => secret.replace(/.{4}/g, "$&  "),
      "with characters between that are not seen": (secret) => [...secret].join("\u200b")
    }
    const given = [
      "hfQ0mYt3XoA7vWb2",
      "0f9e8d7c6b5a49382716f5e4d3c2b1a0",
      "a+b/c=d-e_f.g~h!i",
      "schlüssel-äöü-für-alle",
      "correct horse battery staple"
    ]

    for (const [how, write] of Object.entries(writings)) {
      it(how, () => {
        for (const secret of given) {
          const shown = scrub(`Cannot use key [${write(secret)}] here.`, { secrets: [secret] })
          assert.match(shown, /^Cannot use key \[.*\] here\.$/)
          // Base64 mixes the ends of a secret with what stands beside it.
          const left = shown.slice("Cannot use key [".length, -"] here.".length).replaceAll("<redacted>", "")
          assert.isAtMost(left.replace(/\s/g, "").length, /base64/.test(how) ? 12 : 0, `${secret}: ${shown}`)
        }
      })
    }

    it("but takes nothing out of ordinary text", () => {
      const text = "The KEY was refused (request 5f9e8d7b-aaaa, 100% of 20%25): horse, battery; see aGVsbG8gd29ybGQ=."
      assert.strictEqual(scrub(text, { secrets: given }), text)
    })

    it("in time that is linear in the secret and the text", () => {
      for (const secret of ["k".repeat(4_000), words(1_000), "\u00fc-".repeat(2_000)]) {
        const bytes = Buffer.from(secret).length
        const forms = formsOf(secret)
        assert.isAtMost(forms.reduce((sum, form) => sum + form.length, 0), 11 * bytes)
        const text = forms.join("").slice(0, 4_000)
        const quotations = Quotations.make(text, 8)
        for (const form of forms) quotations.add(form)
        quotations.marks()
        assert.isAtMost(quotations.work(), 12 * (11 * bytes + text.length))
      }
    })
  })

  describe("takes out what is quoted", () => {
    const prompt = "My name is Ada Lovelace and my account number is 12345678."

    it("whole, in part, and more than once", () => {
      assert.strictEqual(scrub(`Invalid: '${prompt}'`, { sources: [prompt] }), "Invalid: '[…]'")
      assert.strictEqual(
        scrub(`Near "Ada Lovelace and my account number" and "${prompt.slice(10)}".`, { sources: [prompt] }),
        "Near \"[…]\" and \" […]\"."
      )
    })

    it("also where only the white space differs", () => {
      const lines = "My name is\n  Ada Lovelace\tand so on."
      assert.strictEqual(scrub("Got: My name is Ada Lovelace and so on.", { sources: [lines] }), "Got: […]")
      assert.strictEqual(scrub(`Got: ${lines}`, { sources: [lines.replace(/\s+/g, " ")] }), "Got: […]")
    })

    it("from any of several texts", () => {
      const other = "You are a helpful assistant of the bank."
      assert.strictEqual(scrub(`${other} ${prompt}`, { sources: [prompt, other] }), "[…] […]")
    })

    it("but not ordinary words of a short prompt", () => {
      assert.strictEqual(scrub("hi is not a model", { sources: ["hi"] }), "hi is not a model")
      assert.strictEqual(scrub("'Elbe?!' is not a model", { sources: ["Elbe?!"] }), "'[…]' is not a model")
    })

    it("so that no run of 24 characters survives", () => {
      const alphabet = FastCheck.stringMatching(/^[ab ]{24,80}$/)
      FastCheck.assert(FastCheck.property(alphabet, FastCheck.array(alphabet, { maxLength: 3 }), (source, others) => {
        const shown = scrub([source.slice(3), ...others, source].join("|"), { sources: [source] })
        const plain = source.replace(/\s+/g, " ").trim()
        for (let i = 0; i + 24 <= plain.length; i++) assert.notInclude(shown, plain.slice(i, i + 24))
      }))
    })
  })

  it("gives one line of at most 500 characters, and marks where it was cut", () => {
    assert.strictEqual(scrub("  a\r\n\tb\n\n c  "), "a b c")
    assert.strictEqual(scrub(""), "")
    assert.strictEqual(scrub("x".repeat(500)), "x".repeat(500))
    assert.strictEqual(scrub("y".repeat(501)), `${"y".repeat(499)}…`)
    assert.strictEqual(scrub(words(10_000)).length, 500)
  })

  it("writes control characters and the controls of bidirectional text as escapes, so that no terminal obeys them", () => {
    assert.strictEqual(scrub("a\u001b[2Jb"), "a\\u001b[2Jb")
    assert.strictEqual(scrub("\u001b]0;title\u0007"), "\\u001b]0;title\\u0007")
    assert.strictEqual(scrub("\u009b31m \u0000 \u007f"), "\\u009b31m \\u0000 \\u007f")
    assert.strictEqual(scrub("\u202eevil\u2066\u200f\u061c"), "\\u202eevil\\u2066\\u200f\\u061c")
    assert.strictEqual(scrub("a\u0301 \u{1F468}\u200d\u{1F469} ‘é’"), "a\u0301 \u{1F468}\u200d\u{1F469} ‘é’")
  })

  it("lets no control character through, whatever else it takes out", () => {
    const controls = Array.from({ length: 0xa0 }, (_, code) => code)
      .filter((code) => code < 0x20 || code >= 0x7f)
      .concat([0x61c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069])
      .map((code) => String.fromCharCode(code))
    const piece = FastCheck.oneof(FastCheck.constantFrom(...controls), FastCheck.string({ unit: "binary" }))
    FastCheck.assert(
      FastCheck.property(FastCheck.array(piece, { maxLength: 40 }), FastCheck.array(piece), (pieces, sources) => {
        const shown = scrub(pieces.join(""), { secrets: ["my-key\u0000"], sources })
        for (const control of controls) assert.notInclude(shown, control)
      })
    )
  })

  it("finds a quotation and a key also where they hold control characters", () => {
    const prompt = "Ring the \u0007 bell and \u001b[2J clear the screen."
    assert.strictEqual(scrub(`Got: ${prompt}`, { sources: [prompt] }), "Got: […]")
    assert.notInclude(scrub("no key\u0000of-mine here", { secrets: ["key\u0000of-mine"] }), "of-mine")
  })

  it("halves no character where it cuts", () => {
    const shown = scrub(`${"x".repeat(498)}\u{1F30A}${"x".repeat(10)}`)
    assert.strictEqual(shown, `${"x".repeat(498)}…`)
  })

  it("looks at no more than the first 64 Ki code units", () => {
    const far = `${" ".repeat(64 * 1024)}the end`
    assert.strictEqual(scrub(`the beginning${far}`), "the beginning")
    assert.strictEqual(scrub(`${" ".repeat(30_000)}within reach`), "within reach")
  })

  it("takes linear time for hostile text and long prompts", () => {
    const started = performance.now()
    for (const piece of ["eyJaaaaaaaa-", "api key: ", "Bearer ", "sk-", "a ", "\n", "api_key=\""]) {
      scrub(piece.repeat(200_000), { sources: [words(100_000)] })
    }
    assert.isBelow(performance.now() - started, 5_000)
  })
})
