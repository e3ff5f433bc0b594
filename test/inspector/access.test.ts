import { assert, describe, it } from "@effect/vitest"
import * as Access from "../../src/inspector/access.js"

const statusOf = (headers: Record<string, string>, path = "/events", method = "GET") =>
  Access.refusal({ method, path, headers })?.status

describe("access to the page", () => {
  it("is anybody under a name of this machine", () => {
    for (const host of ["localhost:4400", "127.0.0.1:4400", "127.0.0.1", "[::1]:4400", "LOCALHOST:1", "127.1.2.3:80"]) {
      assert.isUndefined(statusOf({ host }), host)
    }
  })

  it("is nobody under another name, also if it points to this machine", () => {
    const names = [
      "evil.example",
      "evil.example:4400",
      "localhost.evil.example:4400",
      "127.0.0.1.evil.example",
      "0.0.0.0:4400"
    ]
    for (const host of [...names, "192.168.0.7:4400", "", "127.0.0.1:4400@evil.example", "[::]:4400"]) {
      assert.strictEqual(statusOf({ host }), 403, host)
    }
    assert.strictEqual(statusOf({}), 403)
  })

  it("is no page of another origin", () => {
    const host = "localhost:4400"
    assert.isUndefined(statusOf({ host, origin: "http://localhost:4400" }))
    for (const origin of ["http://evil.example", "http://localhost:3000", "https://localhost:4400", "null"]) {
      assert.strictEqual(statusOf({ host, origin }), 403, origin)
    }
    assert.isUndefined(statusOf({ host, "sec-fetch-site": "same-origin" }))
    assert.isUndefined(statusOf({ host, "sec-fetch-site": "none" }))
    for (const site of ["cross-site", "same-site"]) {
      assert.strictEqual(statusOf({ host, "sec-fetch-site": site, "sec-fetch-mode": "no-cors" }), 403, site)
    }
  })

  it("is a link to the page itself, but to none of its data and into no frame", () => {
    const link = { host: "localhost:4400", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }
    assert.isUndefined(statusOf({ ...link, "sec-fetch-dest": "document" }, "/"))
    assert.strictEqual(statusOf({ ...link, "sec-fetch-dest": "document" }, "/calls/1"), 403)
    assert.strictEqual(statusOf({ ...link, "sec-fetch-dest": "iframe" }, "/"), 403)
  })

  it("asks only for what there is to see", () => {
    const headers = { host: "localhost:4400" }
    assert.isUndefined(statusOf(headers, "/", "HEAD"))
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) assert.strictEqual(statusOf(headers, "/", method), 405)
  })
})

describe("the addresses that only this machine can reach", () => {
  it("are those of the loopback interface", () => {
    assert.deepStrictEqual(["127.0.0.1", "::1", "localhost", "127.8.0.1"].filter((it) => !Access.isLoopback(it)), [])
    assert.deepStrictEqual(["0.0.0.0", "::", "192.168.0.7", "10.0.0.1", "fe80::1"].filter(Access.isLoopback), [])
  })
})
