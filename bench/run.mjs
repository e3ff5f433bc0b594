/**
 * Measures this library beside other clients, and writes what came of it. README.md says how to run it and how to read it.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { parseArgs } from "node:util"
import { clients, floor, lacking } from "./clients/index.mjs"
import { run, startServer } from "./processes.mjs"
import { machine } from "./report/machine.mjs"
import { publish, write } from "./report/write.mjs"
import { runs } from "./scenarios.mjs"

const usage = `
npm run bench -- [options]

  --scenario <names>   some of: ${Object.keys(runs).join(", ")}
  --client <names>     some of: ${clients.map(({ name }) => name).join(", ")}
  --rounds <n>         how often each is run. Default: 3
  --quick              one round, each shorter: for a first look
  --publish            also writes the table into bench/README.md; for whole runs only
`

const fail = (message) => {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}

const names = (option, known) =>
  option?.flatMap((value) => value.split(",")).map((name) =>
    known.includes(name) ? name : fail(`"${name}" is none of: ${known.join(", ")}`)
  )

const { values } = parseArgs({
  options: {
    scenario: { type: "string", multiple: true },
    client: { type: "string", multiple: true },
    rounds: { type: "string" },
    quick: { type: "boolean", default: false },
    publish: { type: "boolean", default: false },
    help: { type: "boolean", default: false }
  }
})
if (values.help) fail(usage)

const rounds = Number(values.rounds ?? (values.quick ? 1 : 3))
if (!Number.isInteger(rounds) || rounds < 1) fail("--rounds takes a positive integer")
const share = values.quick ? 0.4 : 1
const askedRuns = names(values.scenario, Object.keys(runs))
const askedClients = names(values.client, clients.map(({ name }) => name))
if (values.publish && (values.quick || askedRuns !== undefined || askedClients !== undefined)) {
  fail("Only whole runs are published: without --quick, --scenario and --client.")
}

// ---------------------------------------------------------------------------------------------------------------------
// What there is to measure
// ---------------------------------------------------------------------------------------------------------------------

if (!existsSync(new URL("../dist/index.js", import.meta.url))) fail("The library is not built: `npm run build` first.")

// Two copies of `effect` in a process would make everything slower, and some of it wrong.
const here = createRequire(import.meta.url)
const library = createRequire(new URL("../dist/index.js", import.meta.url))
for (const name of ["effect", "@effect/platform"]) {
  if (here.resolve(name) !== library.resolve(name)) fail(`There are two copies of ${name}: remove that in bench/.`)
}

const measured = []
for (const client of clients) {
  if (askedClients !== undefined && !askedClients.includes(client.name)) continue
  const missing = lacking(client)
  if (missing === undefined) measured.push(client)
  else process.stderr.write(`left out: ${client.title}, without ${missing}\n`)
}

/** The library for each Effect, for what is measured of it alone. */
const editions = [
  { name: "effect-llm", edition: "effect3" },
  ...measured.some(({ edition }) => edition === "effect4")
    ? [{ name: "effect-llm for Effect 4", edition: "effect4" }]
    : []
]

const selected = Object.keys(runs).filter((name) =>
  askedRuns === undefined ? runs[name].onlyIfAsked !== true : askedRuns.includes(name)
)

// ---------------------------------------------------------------------------------------------------------------------
// Measuring
// ---------------------------------------------------------------------------------------------------------------------

const place = machine()
const results = []
let failures = 0
const began = performance.now()
let server

const once = async (name, client, round) => {
  const { program } = runs[name]
  const args = {
    wire: [client.name, name, server.baseUrl, JSON.stringify({ share })],
    cold: [client.name, server.baseUrl],
    bundle: [client.name],
    inMemory: [client.edition, JSON.stringify({ share })],
    streamObject: [client.name, JSON.stringify({ share })]
  }[program]
  const { figures, printed } = await run(`measure/${program}.mjs`, args)
  const seconds = ((performance.now() - began) / 1000).toFixed(0).padStart(4)
  const shown = Object.entries(figures).map(([figure, { cpu, kibibytes, rss, wall }]) =>
    `${figure} ${
      rss !== undefined
        ? `${rss.toFixed(0)} MB`
        : kibibytes !== undefined
        ? `${kibibytes.toFixed(1)} KiB`
        : name === "cold"
        ? `${wall.toFixed(0)} ms`
        : `${cpu?.toFixed(2)} µs CPU`
    }`
  )
  process.stderr.write(
    `${seconds} s  ${round + 1}/${rounds}  ${name.padEnd(8)} ${client.name.padEnd(16)} ${shown.join(", ")}\n`
  )
  if (printed !== "") process.stderr.write(`        ${client.name} prints: ${printed.slice(0, 200)}\n`)
  return figures
}

/** A client that fails is told on and left out of the round; the others go on. */
const attempt = (name, client, round) =>
  once(name, client, round).catch((error) => {
    failures++
    process.stderr.write(`${error.message}\n`)
  })

/** The means of two runs of the floor. */
const meanOf = (one, other) =>
  Object.fromEntries(
    Object.entries(one).map(([figure, values]) => [
      figure,
      Object.fromEntries(Object.entries(values).map(([unit, value]) => [unit, (value + other[figure][unit]) / 2]))
    ])
  )

const rotate = (list, by) => [...list.slice(by % list.length), ...list.slice(0, by % list.length)]

/** Clients in pairs, each pair between two runs of the floor. Each round begins with another client. */
const interleave = async (name, clients, floor, round) => {
  let before = await once(name, floor, round)
  const order = rotate(clients, round * 3)
  for (let i = 0; i < order.length; i += 2) {
    const pair = []
    for (const client of order.slice(i, i + 2)) {
      const figures = await attempt(name, client, round)
      if (figures !== undefined) pair.push([client, figures])
    }
    const after = await once(name, floor, round)
    const mean = meanOf(before, after)
    for (const [client, figures] of pair) results.push({ run: name, round, client: client.name, figures, floor: mean })
    // How much two runs of the same differ.
    results.push({ run: name, round, client: floor.name, figures: after, floor: before })
    before = after
  }
}

const refuseBroken = async () => {
  const refused = await run("measure/wire.mjs", ["broken", "verify", server.baseUrl, JSON.stringify({ share })]).then(
    () => false,
    (error) => /another text than the server's/.test(error.message)
  )
  if (!refused) fail("A client that loses a delta was not refused: the texts are not verified.")
}

const measureRound = async (name, round) => {
  const { alone, floor: ownFloor, of, once: single, unpaired } = runs[name]
  if (alone) {
    for (const edition of editions) {
      const figures = await attempt(name, edition, round)
      if (figures !== undefined) results.push({ run: name, round, client: edition.name, figures, floor: {} })
    }
    return
  }
  const taking = measured.filter((client) => of === undefined || of.includes(client.name))
  if (taking.length === 0) return
  const compared = clients.find(({ name }) => name === ownFloor) ?? floor
  if (!single && !unpaired) return interleave(name, taking, compared, round)
  if (single && round > 0) return
  for (const client of rotate(taking, round)) {
    const figures = await attempt(name, client, round)
    if (figures !== undefined) results.push({ run: name, round, client: client.name, figures, floor: {} })
  }
}

server = await startServer()
await refuseBroken()
for (let round = 0; round < rounds; round++) {
  for (const name of selected) await measureRound(name, round)
}
server.stop()

// ---------------------------------------------------------------------------------------------------------------------
// Telling
// ---------------------------------------------------------------------------------------------------------------------

const versionOf = (name) => {
  const folder = here.resolve.paths(name).find((path) => existsSync(`${path}/${name}/package.json`))
  return folder === undefined ? undefined : JSON.parse(readFileSync(`${folder}/${name}/package.json`, "utf8")).version
}

const packages = new Set([
  ...Object.keys(JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8")).dependencies),
  "effect",
  "@effect/platform",
  "@effect/platform-node",
  "@effect/experimental",
  "esbuild"
])

const report = {
  ...place,
  rounds,
  quick: values.quick,
  seconds: Math.round((performance.now() - began) / 1000),
  versions: Object.fromEntries([...packages].sort().map((name) => [name, versionOf(name)])),
  clients: [floor, ...measured].map(({ name, title }) => ({ name, title })),
  results
}

mkdirSync(new URL("results/", import.meta.url), { recursive: true })
writeFileSync(new URL("results/last.json", import.meta.url), `${JSON.stringify(report, undefined, 1)}\n`)
process.stdout.write(write(report, new URL("results/last", import.meta.url)))
if (failures > 0) fail(`${failures} runs failed`)
if (values.publish) publish(report)
