import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as LoadBalancing from "../../../src/policy/targets/loadBalancing.js"

interface Named extends LoadBalancing.Candidate {
  readonly id: string
}

const candidates = FastCheck.uniqueArray(
  FastCheck.record({
    id: FastCheck.string(),
    weight: FastCheck.double({ min: 0.01, max: 100, noNaN: true }),
    inFlight: FastCheck.nat(50)
  }),
  { minLength: 2, maxLength: 8, selector: ({ id }) => id }
).map(([first, ...others]): LoadBalancing.Candidates<Named> => [
  { ...first!, hash: LoadBalancing.hash(first!.id) },
  ...others.map((other) => ({ ...other, hash: LoadBalancing.hash(other.id) }))
])

const random = FastCheck.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

const without = (all: LoadBalancing.Candidates<Named>, gone: Named): LoadBalancing.Candidates<Named> => {
  const [first, ...others] = all.filter((candidate) => candidate !== gone)
  return [first!, ...others]
}

describe("loadBalancing", () => {
  it.prop(
    "by key: one that leaves moves its own keys only, and one that comes takes keys only for itself",
    [candidates, FastCheck.array(FastCheck.string(), { minLength: 1, maxLength: 50 }), FastCheck.nat(7)],
    ([all, keys, n]) => {
      const gone = all[n % all.length]!
      for (const key of keys) {
        const before = LoadBalancing.byKey(all, LoadBalancing.hash(key))
        const after = LoadBalancing.byKey(without(all, gone), LoadBalancing.hash(key))
        assert.isTrue(before === gone || before === after)
      }
    }
  )

  it.prop("by key: the order of the candidates does not matter", [candidates, FastCheck.string()], ([all, key]) => {
    const [first, ...others] = [...all].reverse()
    assert.strictEqual(
      LoadBalancing.byKey([first!, ...others], LoadBalancing.hash(key)),
      LoadBalancing.byKey(all, LoadBalancing.hash(key))
    )
  })

  it.prop("by load: nobody else has less to do for its weight", [candidates, random], ([all, random]) => {
    const chosen = LoadBalancing.leastBusy(all, random)
    assert.isTrue(all.every(({ inFlight, weight }) => inFlight / weight >= chosen.inFlight / chosen.weight))
  })

  it.prop(
    "by weight: a random number falls into the part of the one it chooses",
    [candidates, random],
    ([all, random]) => {
      const chosen = LoadBalancing.byWeight(all, random)
      const total = all.reduce((sum, { weight }) => sum + weight, 0)
      const before = all.slice(0, all.indexOf(chosen)).reduce((sum, { weight }) => sum + weight, 0)
      assert.isAtLeast(random * total, before - 1e-9 * total)
      assert.isAtMost(random * total, before + chosen.weight + 1e-9 * total)
    }
  )

  it("by weight: is the last one where the weights' sum was rounded beyond all parts", () => {
    const candidate = (weight: number) => ({ weight, hash: 0, inFlight: 0 })
    const last = candidate(0.399336116441063)
    const all = [candidate(98.26860448359956), candidate(60.60247605541184), candidate(0.5518812659619955)] as const
    assert.strictEqual(LoadBalancing.byWeight([...all, last], 0.9999999999999998), last)
  })

  it("distinguishes texts that differ in one bit, in their order or beyond ASCII", () => {
    const texts = ["", "a", "b", "ab", "ba", "\u0141", "A", "é", "e\u0301", "世界", "界世"]
    assert.lengthOf(new Set(texts.map(LoadBalancing.hash)), texts.length)
  })
})
