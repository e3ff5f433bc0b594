import { assert, describe, it } from "@effect/vitest"
import * as LlmError from "effect-llm/LlmError"
import { readFileSync } from "node:fs"
import { failure } from "../support/errors.js"
import { interrupted, samples } from "../support/reasons.js"

const read = (path: string) => readFileSync(new URL(`../../docs/${path}`, import.meta.url), "utf8")

/** A row of docs/guide/errors.md, or a word of docs/retries.svg: a reason, with a phase if it is `TimedOut`. */
const cases: ReadonlyArray<readonly [name: string, reason: LlmError.Reason]> = [
  ...Object.values(samples).filter(({ _tag }) => _tag !== "TimedOut").map((reason) => [reason._tag, reason] as const),
  ...LlmError.TimedOutPhase.literals.map((phase) => [`TimedOut ${phase}`, LlmError.TimedOut.make({ phase })] as const)
]

const namesWhere = (holds: (error: LlmError.LlmError) => boolean): ReadonlyArray<string> =>
  cases.filter(([, reason]) => holds(failure(reason))).map(([name]) => name)

/** `TimedOut (attempt, firstPart)` is two names, any other reason is one. Words that are no reason are left out. */
const namesIn = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/\b([A-Z][a-z]+(?:[A-Z][a-z]+)*)\b(?: \(([a-zA-Z, ]+)\))?/g)].flatMap(([, tag = "", phases]) =>
    !Object.hasOwn(samples, tag) ? [] : phases === undefined ? [tag] : phases.split(", ").map((it) => `${tag} ${it}`)
  )

describe("docs/retries.svg", () => {
  const texts = [...read("retries.svg").matchAll(/<text x="(\d+)" y="(\d+)"[^>]*>([^<]*)<\/text>/g)].map(
    ([, x, y, text = ""]) => ({ x: Number(x), y: Number(y), text })
  )

  /** The text of a box, by its heading. */
  const box = (heading: string): string => {
    const title = texts.find(({ text }) => text === heading)
    assert.isDefined(title, heading)
    return texts.filter(({ x, y }) => x === title.x && y > title.y && y < 250).map(({ text }) => text).join(" ")
  }

  const [others, client, none] = [box("1. Fallback, Balance"), box("2. The client's retry"), box("3. Nobody")]

  it("has the reasons that the client retries", () => {
    assert.sameMembers([...namesIn(client)], [...namesWhere(({ isRetryable }) => isRetryable)])
    assert.include(client, "a stream that breaks off before its first part")
    assert.isTrue(failure(interrupted()).isRetryable)
    assert.isFalse(failure(samples.StreamInterrupted).isRetryable)
  })

  it("has the reasons that go to another target, beside those that the client retries", () => {
    assert.include(others, "all of box 2, and also")
    assert.deepStrictEqual(namesWhere(({ canFailOver, isRetryable }) => isRetryable && !canFailOver), [])
    assert.sameMembers(
      [...namesIn(others)],
      [...namesWhere(({ canFailOver, isRetryable }) => canFailOver && !isRetryable)]
    )
  })

  it("has the reasons that end a call", () => {
    // Not the end of an attempt: values and arguments are judged after it, and a fallback has asked its targets.
    const later = ["OutputInvalid", "OutputTruncated", "ToolArgumentsInvalid", "AllProvidersFailed"]
    assert.include(none, "a stream that breaks off after its first part")
    assert.sameMembers(
      [...namesIn(none), "StreamInterrupted", ...later],
      [...namesWhere(({ canFailOver, isRetryable }) => !canFailOver && !isRetryable)]
    )
  })
})

describe("docs/guide/errors.md", () => {
  /** The cells of the table. A row without a reason is another phase of the reason above. */
  const rows = read("guide/errors.md").split("\n").filter((line) => /\| (yes|no)[ ¹²³]* \|$/.test(line)).map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim().replace(/ [¹²³]$/, ""))
  )

  it("has the verdicts of each reason", () => {
    const stated = rows.flatMap(([reason = "", meaning = "", ...verdicts]) => {
      const phases = LlmError.TimedOutPhase.literals.filter((phase) => meaning.includes(`\`${phase}\``))
      const tag = reason === "" ? "TimedOut" : reason.replaceAll("`", "")
      return (phases.length === 0 ? [tag] : phases.map((phase) => `${tag} ${phase}`)).map((name) => [name, ...verdicts])
    })
    const word = (holds: boolean) => holds ? "yes" : "no"
    assert.sameDeepMembers(
      stated,
      cases.map(([name, reason]) => {
        const { canFailOver, countsAgainstBreaker, isRetryable } = failure(reason)
        return [name, word(isRetryable), word(canFailOver), word(countsAgainstBreaker)]
      })
    )
  })
})
