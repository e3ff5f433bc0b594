import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as BatchGroups from "../../src/jobs/batchGroups.js"
import * as Places from "../../src/jobs/places.js"

const limits = { requests: 5, bytes: 100 }

const anyRequests = FastCheck.array(
  FastCheck.record({
    model: FastCheck.constantFrom("a", "b", "c"),
    bytes: FastCheck.integer({ min: 1, max: 100 })
  }),
  { maxLength: 60 }
).map((requests) => requests.map((request, index) => ({ ...request, index })))

const grouped = (requests: ReadonlyArray<BatchGroups.Sized>) => {
  const groups = BatchGroups.make(limits)
  for (const request of requests) groups.add(request)
  return groups.groups()
}

describe("batchGroups", () => {
  it("puts each request into one batch of its model, in order and within the limits", () => {
    FastCheck.assert(FastCheck.property(anyRequests, (requests) => {
      const groups = grouped(requests)
      assert.deepStrictEqual(
        groups.flatMap(({ places }) => places).sort((a, b) => a - b),
        requests.map(({ index }) => index)
      )
      for (const { model, places } of groups) {
        const own = places.map((place) => requests[place]!)
        assert.deepStrictEqual(Array.from(new Set(own.map(({ model }) => model))), [model])
        assert.isAtMost(own.length, limits.requests)
        assert.isAtMost(own.reduce((sum, { bytes }) => sum + bytes, 0), limits.bytes)
        assert.deepStrictEqual(Array.from(places), places.toSorted((a, b) => a - b))
      }
    }))
  })

  it("begins no batch while there is room for a request in the last one of its model", () => {
    FastCheck.assert(FastCheck.property(anyRequests, (requests) => {
      const groups = grouped(requests)
      for (const model of ["a", "b", "c"]) {
        const own = groups.filter((group) => group.model === model)
        own.slice(1).forEach(({ places: [first] }, i) => {
          const before = own[i]!.places.map((place) => requests[place]!.bytes)
          const bytes = before.reduce((sum, bytes) => sum + bytes, requests[first!]!.bytes)
          assert.isTrue(before.length === limits.requests || bytes > limits.bytes)
        })
      }
    }))
  })

  it("halves a batch without losing a request", () => {
    FastCheck.assert(FastCheck.property(FastCheck.uniqueArray(FastCheck.nat(), { minLength: 2 }), (places) => {
      const [first, second] = BatchGroups.halves({ model: "m", places })
      assert.deepStrictEqual([...first.places, ...second.places], places)
      assert.isAtLeast(second.places.length, 1)
    }))
  })
})

describe("places", () => {
  it("are read as they were written", () => {
    const anyPlaces = FastCheck.uniqueArray(FastCheck.nat({ max: 200 })).map((places) => places.sort((a, b) => a - b))
    FastCheck.assert(FastCheck.property(anyPlaces, (places) => {
      assert.deepStrictEqual(Places.read(Places.write(places)), places)
    }))
  })

  it("that follow each other are one range", () => {
    assert.strictEqual(Places.write([0, 1, 2, 3, 7, 9, 10]), "0-3,7,9-10")
    assert.strictEqual(Places.write([]), "")
  })
})
