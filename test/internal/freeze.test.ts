import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import { freezePlain } from "../../src/internal/freeze.js"

describe("freezePlain", () => {
  it("freezes plain objects and arrays at any depth, and returns the value itself", () => {
    const value = { a: [{ b: { c: [1, "x", null] } }], d: Object.assign(Object.create(null), { e: {} }) }
    assert.strictEqual(freezePlain(value), value)
    for (const part of [value, value.a, value.a[0], value.a[0]?.b, value.a[0]?.b.c, value.d, value.d.e]) {
      assert.isTrue(Object.isFrozen(part))
    }
    assert.throws(() => value.a.push({ b: { c: [] } }), TypeError)
  })

  it("leaves instances of classes as they are, with all that is in them", () => {
    class Own {
      readonly inner = { a: 1 }
    }
    class Point extends Data.Class<{ readonly a: number }> {}
    const value = {
      duration: Duration.seconds(1),
      bytes: new Uint8Array(2),
      date: new Date(0),
      map: new Map([["a", { b: 1 }]]),
      data: new Point({ a: 1 }),
      own: new Own(),
      run: () => 1
    }
    freezePlain(value)
    assert.isTrue(Object.isFrozen(value))
    for (const part of Object.values(value)) assert.isFalse(Object.isFrozen(part))
    assert.isFalse(Object.isFrozen(value.own.inner))
    assert.isFalse(Object.isFrozen(value.map.get("a")))
    value.bytes[0] = 1
  })

  it("passes texts, numbers and nothing", () => {
    for (const value of ["text", 1, true, null, undefined]) assert.strictEqual(freezePlain(value), value)
  })

  it("ends in a cycle and at any depth", () => {
    const cycle: { self?: unknown } = {}
    cycle.self = [cycle]
    assert.isTrue(Object.isFrozen(freezePlain(cycle)))
    const deep: unknown = JSON.parse("[".repeat(5_000) + "]".repeat(5_000))
    let inner = freezePlain(Array.from({ length: 20 }).reduce((value) => [value], deep))
    let depth = 0
    for (; Array.isArray(inner); inner = inner[0]) {
      assert.isTrue(Object.isFrozen(inner))
      depth++
    }
    assert.strictEqual(depth, 5_020)
  })

  it("looks only once at what it has frozen", () => {
    let looks = 0
    const value = { items: [{ a: 1 }, { a: 2 }] }
    const watched = new Proxy(value, {
      ownKeys: (target) => {
        looks++
        return Reflect.ownKeys(target)
      }
    })
    freezePlain(value)
    freezePlain({ watched })
    const before = looks
    freezePlain({ watched })
    assert.isAtMost(looks - before, 1 + Object.keys(value).length)
  })
})
