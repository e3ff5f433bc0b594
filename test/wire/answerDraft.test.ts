import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as AnswerDraft from "../../src/wire/answerDraft.js"

const weather = { id: "call_a", name: "weather" }

describe("answerDraft", () => {
  it("joins the pieces of a text under one key, and gives each as it came", () => {
    const draft = AnswerDraft.make()
    draft.text("0", "Hel")
    assert.deepStrictEqual(draft.take(), [{ _tag: "TextDelta", text: "Hel" }])
    draft.text("0", "lo")
    assert.deepStrictEqual(draft.take(), [{ _tag: "TextDelta", text: "lo" }])
    assert.deepStrictEqual(draft.take(), [])
    assert.deepStrictEqual(draft.parts(), [{ _tag: "Text", text: "Hello" }])
  })

  it("keeps the parts in the order in which they began", () => {
    const draft = AnswerDraft.make()
    draft.reasoning("0", "hm")
    draft.text("1", "a")
    draft.tool("2", { ...weather, json: "{}" })
    draft.text("3", "b")
    draft.text("1", "c")
    draft.refusal("4", "no")
    draft.endTools({ truncated: false })
    assert.deepStrictEqual(draft.parts(), [
      { _tag: "Reasoning", text: "hm" },
      { _tag: "Text", text: "ac" },
      { _tag: "ToolCall", ...weather, arguments: {} },
      { _tag: "Text", text: "b" },
      { _tag: "Refusal", text: "no" }
    ])
  })

  it("knows whether anything was given out", () => {
    const draft = AnswerDraft.make()
    draft.text("0", "")
    draft.refusal("1", "no")
    draft.reasoning("2", undefined, { encrypted: "E" })
    assert.isFalse(draft.begun())
    draft.text("0", "a")
    assert.isTrue(draft.begun())
    draft.take()
    assert.isTrue(draft.begun())
  })

  describe("text", () => {
    it("that is empty is no part", () => {
      const draft = AnswerDraft.make()
      draft.text("0", "")
      draft.refusal("1", "")
      assert.deepStrictEqual(draft.parts(), [])
      assert.deepStrictEqual(draft.take(), [])
    })

    it("keeps white space", () => {
      const draft = AnswerDraft.make()
      draft.text("0", "\n")
      draft.text("0", "\n a")
      assert.deepStrictEqual(draft.parts(), [{ _tag: "Text", text: "\n\n a" }])
    })

    it("carries a signature, which may come alone", () => {
      const draft = AnswerDraft.make()
      draft.text("0", "", { signature: "S" })
      assert.deepStrictEqual(draft.parts(), [{ _tag: "Text", text: "", signature: "S" }])
    })
  })

  describe("reasoning", () => {
    it("without text is not reasoning with an empty text", () => {
      const draft = AnswerDraft.make()
      draft.reasoning("0", undefined, { encrypted: "E", provider: "p" })
      draft.reasoning("1", "", { signature: "S" })
      assert.deepStrictEqual(draft.parts(), [
        { _tag: "Reasoning", encrypted: "E", provider: "p" },
        { _tag: "Reasoning", text: "", signature: "S" }
      ])
    })

    it("takes further fields as they come", () => {
      const draft = AnswerDraft.make()
      draft.reasoning("0", "h", { provider: "p" })
      draft.reasoning("0", "m")
      draft.reasoning("0", undefined, { signature: "S" })
      assert.deepStrictEqual(draft.parts(), [{ _tag: "Reasoning", text: "hm", provider: "p", signature: "S" }])
      assert.deepStrictEqual(draft.take(), [
        { _tag: "ReasoningDelta", text: "h" },
        { _tag: "ReasoningDelta", text: "m" }
      ])
    })
  })

  describe("a tool call", () => {
    it("is given as start, pieces and end", () => {
      const draft = AnswerDraft.make()
      draft.tool("0", { ...weather, json: "" })
      draft.tool("0", { json: "{\"city\":" })
      draft.tool("0", { json: "\"Paris\"}" })
      draft.endTool("0")
      assert.deepStrictEqual(draft.take(), [
        { _tag: "ToolCallStart", ...weather },
        { _tag: "ToolCallDelta", id: "call_a", delta: "{\"city\":" },
        { _tag: "ToolCallDelta", id: "call_a", delta: "\"Paris\"}" },
        { _tag: "ToolCallEnd", ...weather, arguments: { city: "Paris" } }
      ])
    })

    it("ends once", () => {
      const draft = AnswerDraft.make()
      draft.tool("0", { ...weather, json: "{}" })
      draft.endTool("0")
      draft.endTool("0")
      draft.endTools({ truncated: false })
      assert.deepStrictEqual(draft.take().filter((part) => part._tag === "ToolCallEnd").length, 1)
    })

    it("starts when its name is known, with what came before", () => {
      const draft = AnswerDraft.make()
      draft.tool("0", { id: "call_a", json: "{\"a\"" })
      assert.deepStrictEqual(draft.take(), [])
      draft.tool("0", { name: "weather", json: ":1}" })
      assert.deepStrictEqual(draft.take(), [
        { _tag: "ToolCallStart", ...weather },
        { _tag: "ToolCallDelta", id: "call_a", delta: "{\"a\":1}" }
      ])
    })

    it("takes an id and a name that are repeated once", () => {
      const draft = AnswerDraft.make()
      draft.tool("0", { ...weather, json: "{" })
      draft.tool("0", { ...weather, json: "}" })
      draft.tool("0", { id: "other", name: "other" })
      draft.endTools({ truncated: false })
      assert.deepStrictEqual(draft.parts(), [{ _tag: "ToolCall", ...weather, arguments: {} }])
    })

    it("gets an id if it has none, each its own", () => {
      const draft = AnswerDraft.make()
      draft.tool("0", { json: "{}" })
      draft.tool("1", { name: "b", json: "{}" })
      draft.tool("0", { name: "a" })
      draft.endTools({ truncated: false })
      assert.deepStrictEqual(draft.parts(), [
        { _tag: "ToolCall", id: "call_0", name: "a", arguments: {} },
        { _tag: "ToolCall", id: "call_1", name: "b", arguments: {} }
      ])
    })

    it("gets an id from outside if the program has its own", () => {
      let n = 7
      const draft = AnswerDraft.make(() => `made_${n++}`)
      draft.tool("0", { name: "a" })
      draft.tool("1", { id: "given", name: "b" })
      draft.tool("2", { name: "c" })
      assert.deepStrictEqual(draft.take().map((part) => part._tag === "ToolCallStart" && part.id), [
        "made_7",
        "given",
        "made_8"
      ])
    })

    it("gets another id where the one that came is taken", () => {
      const draft = AnswerDraft.make()
      for (const key of ["0", "1", "2"]) draft.tool(key, { ...weather, json: "{}" })
      const ids = draft.take().flatMap((part) => part._tag === "ToolCallStart" ? [part.id] : [])
      assert.strictEqual(ids[0], "call_a")
      assert.strictEqual(new Set(ids).size, 3)
    })

    it("without arguments is a call with none", () => {
      const draft = AnswerDraft.make()
      draft.tool("0", weather)
      draft.endTools({ truncated: false })
      assert.deepStrictEqual(draft.parts(), [{ _tag: "ToolCall", ...weather, arguments: {} }])
    })

    it("whose arguments are no JSON is a problem, and nothing is repaired", () => {
      for (
        const raw of [
          "{\"a\": nope}",
          "{\"a\":1} trailing",
          "{\"a\":1,}",
          "{\"a\":\"\\x\"}",
          "garbage",
          "{\"a\": 1, \"b\": \"xy"
        ]
      ) {
        const draft = AnswerDraft.make()
        draft.tool("0", { ...weather, json: raw })
        draft.endTool("0")
        assert.isUndefined(draft.problem(), "how the answer ends is not known yet")
        draft.endTools({ truncated: false })
        const problem = draft.problem()
        assert(problem?._tag === "ToolArgumentsInvalid", raw)
        assert.strictEqual(problem.raw, raw)
        assert.strictEqual(problem.name, "weather")
        assert.isEmpty(draft.take().filter((part) => part._tag === "ToolCallEnd"))
      }
    })

    it("that the limit cut is kept as it is, and marked", () => {
      for (const raw of ["", "{", "{\"a\": 1, \"b\": \"xy"]) {
        const draft = AnswerDraft.make()
        draft.tool("0", { ...weather, json: raw, signature: "S" })
        draft.endTools({ truncated: true })
        assert.isUndefined(draft.problem())
        assert.deepStrictEqual(draft.parts(), [
          { _tag: "ToolCall", ...weather, arguments: raw, incomplete: true, signature: "S" }
        ])
        assert.isEmpty(draft.take().filter((part) => part._tag === "ToolCallEnd"))
      }
    })

    it("that was whole before the limit cut the answer stays whole", () => {
      const draft = AnswerDraft.make()
      draft.tool("0", { ...weather, json: "{\"a\":1}" })
      draft.tool("1", { id: "call_b", name: "weather", json: "{\"a\"" })
      draft.endTools({ truncated: true })
      assert.deepStrictEqual(draft.parts(), [
        { _tag: "ToolCall", ...weather, arguments: { a: 1 } },
        { _tag: "ToolCall", id: "call_b", name: "weather", arguments: "{\"a\"", incomplete: true }
      ])
    })

    it("that ended without arguments was cut, if it is the last part and the limit cut the answer", () => {
      const draft = AnswerDraft.make()
      for (const id of ["call_a", "call_b"]) {
        draft.tool(id, { id, name: "weather" })
        draft.endTool(id)
      }
      draft.endTools({ truncated: true })
      assert.deepStrictEqual(draft.parts(), [
        { _tag: "ToolCall", ...weather, arguments: {} },
        { _tag: "ToolCall", id: "call_b", name: "weather", arguments: "", incomplete: true }
      ])
      assert.deepStrictEqual(draft.take(), [
        { _tag: "ToolCallStart", ...weather },
        { _tag: "ToolCallEnd", ...weather, arguments: {} },
        { _tag: "ToolCallStart", id: "call_b", name: "weather" }
      ])
    })

    it("that is under way counts as incomplete", () => {
      const draft = AnswerDraft.make()
      draft.tool("0", { ...weather, json: "{}" })
      assert.deepStrictEqual(draft.parts(), [{ _tag: "ToolCall", ...weather, arguments: "{}", incomplete: true }])
    })

    it("that never got a name is a problem", () => {
      const draft = AnswerDraft.make()
      draft.tool("0", { id: "call_a", json: "{}" })
      draft.endTools({ truncated: false })
      assert.strictEqual(draft.problem()?._tag, "MalformedResponse")
      assert.deepStrictEqual(draft.take(), [])
    })

    it("may have any key and name, those of an object's own machinery, too", () => {
      const draft = AnswerDraft.make()
      draft.tool("__proto__", { id: "constructor", name: "__proto__", json: "{\"__proto__\":{\"x\":1}}" })
      draft.endTools({ truncated: false })
      const [call] = draft.parts()
      assert(call?._tag === "ToolCall")
      assert.strictEqual(call.name, "__proto__")
      assert.isUndefined(({} as { readonly x?: unknown }).x)
    })
  })

  describe("is bounded", () => {
    it("in tool calls: 128", () => {
      const draft = AnswerDraft.make()
      for (let i = 0; i < 128; i++) draft.tool(`${i}`, { id: `${i}`, name: "f", json: "{}" })
      assert.isUndefined(draft.problem())
      draft.tool("128", { id: "128", name: "f" })
      assert.strictEqual(draft.problem()?._tag, "MalformedResponse")
    })

    it("in length: 32 Mi characters, of all parts together", () => {
      const draft = AnswerDraft.make()
      const chunk = "x".repeat(1024 * 1024)
      for (let i = 0; i < 8; i++) {
        draft.text("0", chunk)
        draft.reasoning("1", chunk)
        draft.refusal("2", chunk)
        draft.tool("3", { ...weather, json: chunk })
      }
      assert.isUndefined(draft.problem())
      draft.text("0", "x")
      assert.strictEqual(draft.problem()?._tag, "MalformedResponse")
    })

    it("in parts, which may be empty", () => {
      const draft = AnswerDraft.make()
      for (let i = 0; i < 10_000; i++) draft.reasoning(`${i}`, "")
      assert.isUndefined(draft.problem())
      draft.reasoning("more", "")
      assert.strictEqual(draft.problem()?._tag, "MalformedResponse")
    })
  })

  it("gives pieces that join to the parts, for any pieces in any order", () => {
    const piece = FastCheck.record({
      key: FastCheck.constantFrom("0", "1", "2"),
      kind: FastCheck.constantFrom("text", "reasoning", "tool"),
      text: FastCheck.string({ maxLength: 5 })
    })
    FastCheck.assert(
      FastCheck.property(FastCheck.array(piece), (pieces) => {
        const draft = AnswerDraft.make()
        const given: Array<ReturnType<typeof draft.take>[number]> = []
        for (const { key, kind, text } of pieces) {
          if (kind === "text") draft.text(key, text)
          else if (kind === "reasoning") draft.reasoning(key, text)
          else draft.tool(key, { id: `id${key}`, name: "f", json: text })
          for (const part of draft.take()) given.push(part)
        }
        draft.endTools({ truncated: true })
        const joined = (tag: string, text: (part: typeof given[number]) => string) =>
          given.filter((part) => part._tag === tag).map(text).join("")
        const parts = draft.parts()
        for (const key of ["0", "1", "2"]) {
          const call = parts.find((part) => part._tag === "ToolCall" && part.id === `id${key}`)
          const streamed = joined(
            "ToolCallDelta",
            (part) => "delta" in part && part.id === `id${key}` ? part.delta : ""
          )
          if (call?._tag === "ToolCall" && call.incomplete === true) assert.strictEqual(call.arguments, streamed)
        }
        const length = (tag: string) =>
          parts.reduce((sum, part) => sum + (part._tag === tag && "text" in part ? part.text?.length ?? 0 : 0), 0)
        assert.strictEqual(joined("TextDelta", (part) => "text" in part ? part.text : "").length, length("Text"))
        assert.strictEqual(
          joined("ReasoningDelta", (part) => "text" in part ? part.text : "").length,
          length("Reasoning")
        )
      })
    )
  })
})
