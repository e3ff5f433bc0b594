import { environment, file, run } from "./runtime.mjs"

/**
 * Compares the edition with the library for Effect 3: both go through the corpus of `test/corpus`, on the same Node, and
 * print the keys of its requests, the bytes that providers send, and what they make of the same answers.
 */

const corpus = "test/corpus/print.ts"

const printed = async (what, options) => {
  const { code, output } = await run(["--import", "tsx", ...options.args], options)
  if (code !== 0) throw new Error(`The corpus of ${what} ended with ${code}.`)
  const lines = output.trimEnd().split("\n").map((line) => JSON.parse(line))
  const values = new Map(lines.map(({ name, value }) => [name, value]))
  if (values.size !== lines.length) throw new Error(`The corpus of ${what} has several lines of one name.`)
  return values
}

const isObject = (value) => typeof value === "object" && value !== null

/** The places at which two JSON values differ. The order of fields is none of them: bodies are texts. */
const differences = (one, other, path = "") => {
  if (one === other) return []
  if (!isObject(one) || !isObject(other) || Array.isArray(one) !== Array.isArray(other)) return [{ path, one, other }]
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].flatMap((key) =>
    differences(one[key], other[key], `${path}.${key}`)
  )
}

const shown = (value) => value === undefined ? "nothing" : JSON.stringify(value)

const [three, four] = await Promise.all([
  printed("Effect 3", { args: [corpus], cwd: file("../..") }),
  printed("Effect 4", { args: [`generated/${corpus}`], cwd: file("."), env: environment })
])

const differing = [...new Set([...three.keys(), ...four.keys()])].flatMap((name) => {
  const places = differences(three.get(name), four.get(name))
  return places.length === 0 ? [] : [{ name, places }]
})

for (const { name, places } of differing.slice(0, 20)) {
  console.error(`\n${name}`)
  for (const { one, other, path } of places.slice(0, 5)) {
    console.error(`  ${path === "" ? "the whole line" : path.slice(1)}\n    3: ${shown(one)}\n    4: ${shown(other)}`)
  }
}
if (differing.length > 0) {
  console.error(`\n${differing.length} of ${three.size} lines of the corpus differ between Effect 3 and Effect 4.`)
  process.exitCode = 1
} else {
  console.log(`${three.size} lines of the corpus are the same on Effect 3 and Effect 4.`)
}
