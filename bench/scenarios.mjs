/**
 * What is run, and what the rows of the table make of it.
 */

/** Programs that run once a round for each client, each in a process of its own. */
export const runs = {
  calls: { program: "wire" },
  seq: { program: "wire", onlyIfAsked: true },
  thru: { program: "wire", onlyIfAsked: true },
  burst: { program: "wire" },
  // What is compared is both in one process.
  linear: {
    program: "wire",
    unpaired: true,
    of: ["effectAi", "effectHttp", "effectLlmFetch", "effectLlmUndici", "effectLlmLean", "effectLlm4Lean"]
  },
  paced: { program: "wire" },
  inflight: { program: "wire" },
  cold: { program: "cold" },
  // One edition against the other, on the same Node.
  coldEdition: { program: "cold", floor: "effectLlmLean", of: ["effectLlm4Lean"] },
  bundle: {
    program: "bundle",
    once: true,
    of: [
      "openai",
      "anthropic",
      "aiSdk",
      "langchain",
      "effectAi",
      "effectHttp",
      "fetch",
      "effectLlmFetch",
      "effectLlm4Fetch"
    ]
  },
  objects: {
    program: "wire",
    unpaired: true,
    onlyIfAsked: true,
    of: ["aiSdk", "effectLlmUndici", "effectLlmLean", "effectLlm4Lean"]
  },
  object: { program: "wire", unpaired: true, of: ["aiSdk", "effectLlmUndici", "effectLlmLean", "effectLlm4Lean"] },
  memory: { program: "inMemory", alone: true }
}

const ratioOf = (name, of = name, unit = "cpu") => (figures, floor) => figures[name]?.[unit] / floor[of]?.[unit]

/**
 * The rows. `value` takes the figures of a client and the means of the floor's runs before and after it; `targets` are
 * for the clients of this library.
 */
export const rows = [
  {
    run: "calls",
    name: "seq",
    title: "CPU a call, warm, one at a time",
    unit: "×",
    value: ratioOf("seq"),
    floor: (floor) => `${floor.seq.cpu.toFixed(0)} µs`,
    targets: { effectLlmLean: 2, effectLlmUndici: 3, effectLlm4Lean: 2 }
  },
  {
    run: "calls",
    name: "thru",
    title: "CPU a call, 64 at a time",
    unit: "×",
    value: ratioOf("thru"),
    floor: (floor) => `${floor.thru.cpu.toFixed(0)} µs`,
    targets: { effectLlmLean: 2.5, effectLlmUndici: 4, effectLlm4Lean: 2.5 }
  },
  {
    run: "burst",
    name: "burst",
    title: "CPU a delta, 2,000 at once, as a Stream",
    unit: "×",
    value: ratioOf("burst"),
    floor: (floor) => `${floor.burst.cpu.toFixed(2)} µs`,
    targets: { effectLlmLean: 1.8, effectLlmUndici: 1.8, effectLlm4Lean: 1.8 }
  },
  {
    run: "burst",
    name: "collect",
    title: "the same, collected by the client",
    unit: "×",
    value: ratioOf("collect", "burst"),
    floor: (floor) => `${floor.burst.cpu.toFixed(2)} µs`,
    targets: { effectLlmLean: 1.2, effectLlmUndici: 1.2, effectLlm4Lean: 1.2 }
  },
  {
    run: "paced",
    name: "paced",
    title: "CPU a delta over the floor, 100 paced streams",
    unit: "µs",
    signed: true,
    value: (figures, floor) => figures.paced?.cpu - floor.paced?.cpu,
    floor: (floor) => `${floor.paced.cpu.toFixed(0)} µs`,
    targets: { effectLlmLean: 16, effectLlmUndici: 16, effectLlm4Lean: 16 }
  },
  {
    run: "linear",
    name: "linear",
    title: "CPU a delta at 64 kB reads against one event a read",
    unit: "×",
    value: (figures) => figures.whole?.cpu / figures.each?.cpu,
    targets: { effectLlmLean: 1.1, effectLlmUndici: 1.1, effectLlmFetch: 1.1 }
  },
  {
    run: "object",
    name: "object",
    title: "CPU a chunk, an object in 4,000 paced chunks, as partial values",
    unit: "µs",
    value: (figures) => figures.object4000?.cpu
  },
  {
    run: "object",
    name: "objectGrowth",
    title: "the same against one in 500 chunks",
    unit: "×",
    value: (figures) => figures.object4000?.cpu / figures.object500?.cpu
  },
  {
    run: "inflight",
    name: "rss",
    title: "peak RSS, 2,000 calls in flight",
    unit: "×",
    value: ratioOf("inflight", "inflight", "rss"),
    floor: (floor) => `${floor.inflight.rss.toFixed(0)} MB`,
    targets: { effectLlmLean: 1.45, effectLlmUndici: 1.45 }
  },
  {
    run: "cold",
    name: "cold",
    title: "import + construct",
    unit: "ms",
    value: (figures) => figures.cold?.wall,
    floor: (floor) => `${floor.cold.wall.toFixed(0)} ms`,
    targets: { effectLlmLean: 250, effectLlmUndici: 250, effectLlmFetch: 250 }
  },
  {
    run: "coldEdition",
    name: "coldEdition",
    title: "the same, against the edition for Effect 3",
    unit: "×",
    value: (figures, floor) => figures.cold?.wall / floor.cold?.wall,
    floor: (floor) => `${floor.cold.wall.toFixed(0)} ms`,
    targets: { effectLlm4Lean: 0.6 }
  },
  {
    run: "bundle",
    name: "bundle",
    title: "bundle of a hello-world call over fetch, zipped",
    unit: "KiB",
    value: (figures) => figures.bundle?.kibibytes,
    targets: { effectLlmFetch: 110, effectLlm4Fetch: 110 }
  }
]

/** What needs no network. `beside` is measured in the same process. */
export const memoryRows = [
  {
    name: "cacheHit",
    title: "whole cache hit, 1 kB prompt",
    target: 8,
    beside: [["cacheHitPromise", "through `runPromise`"]]
  },
  {
    name: "keyShort",
    title: "cache key of a 1 kB prompt",
    target: 3.5,
    beside: [["digestShort", "JSON.stringify + SHA-256"]]
  },
  {
    name: "keyChat",
    title: "cache key of a 100 kB chat",
    target: 180,
    beside: [["digestChat", "JSON.stringify + SHA-256"]]
  },
  {
    name: "memoryCall",
    title: "`call` over a provider that answers at once, no cache",
    target: 30,
    beside: [
      ["memoryCallPromise", "through `runPromise`"],
      ["effectPolicies", "Effect.timeout + Effect.retry alone"],
      ["cockatiel", "cockatiel: retry + timeout + breaker"]
    ]
  }
]
