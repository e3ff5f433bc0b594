import { assert, describe, it } from "@effect/vitest"
import { ESLint } from "eslint"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll } from "vitest"

/** The checks fail on wrong code: each is given some, by the settings and the commands that `npm run check` uses. */

const root = fileURLToPath(new URL("..", import.meta.url))
const { scripts }: { readonly scripts: { readonly [name: string]: string } } = JSON.parse(
  readFileSync(join(root, "package.json"), "utf8")
)

const temporary = mkdtempSync(join(tmpdir(), "effect-llm-house-"))
afterAll(() => rmSync(temporary, { recursive: true, force: true }))

const write = (files: { readonly [path: string]: string }): string => {
  const folder = mkdtempSync(join(temporary, "package-"))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

const tsconfig = JSON.stringify({
  compilerOptions: { target: "ES2022", lib: ["ES2022"], types: [], module: "NodeNext", moduleResolution: "NodeNext" }
})

/** Runs a command with the programs of this repository. */
const run = async (command: string, folder: string) => {
  const path = [join(root, "node_modules", ".bin"), process.env.PATH].join(delimiter)
  const child = spawn(command, { cwd: folder, shell: true, env: { ...process.env, PATH: path } })
  let output = ""
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => output += text)
  const [code] = await once(child, "close")
  return { code, output }
}

it("check runs every check, and the pipeline runs check", () => {
  assert.deepStrictEqual(
    scripts["check"]?.split(" && "),
    ["types", "effect", "lint", "circular", "docs", "examples"].map((name) => `npm run check:${name}`)
  )
  assert.match(readFileSync(join(root, ".ci", "run"), "utf8"), /^step npm run check$/m)
})

// ---------------------------------------------------------------------------------------------------------------------
// The linter
// ---------------------------------------------------------------------------------------------------------------------

const eslint = new ESLint({ cwd: root })

/** The lines of a file that break a rule, by their index, and the linter's messages. */
const lint = async (file: string, lines: ReadonlyArray<string>, rule: RegExp) => {
  const [result] = await eslint.lintText(lines.join("\n"), { filePath: join(root, file) })
  const found = result!.messages.filter(({ ruleId }) => ruleId === null || rule.test(ruleId))
  return { lines: found.map(({ line }) => line - 1), messages: found.map(({ message }) => message) }
}

describe("imports up the floors", () => {
  /** From the ground up: a file of each room, as deep as they come. */
  const floors = [
    ["internal/a.ts"],
    ["domain/a.ts"],
    ["LlmProvider.ts", "LlmCache.ts", "LlmLogger.ts"],
    ["telemetry/a.ts"],
    ["runtime/a.ts"],
    ["wire/a.ts"],
    ["UndiciTransport.ts"],
    ["output/a.ts"],
    ["policy/rateLimit/a.ts"],
    ["providers/gemini/a.ts"],
    ["client/a.ts"],
    ["LlmClient.ts"],
    ["stores/a.ts"],
    ["testing/simulator/a.ts"],
    ["inspector/a.ts"],
    ["jobs/a.ts"],
    ["bridge/a.ts"],
    ["index.ts"]
  ]

  const specifier = (from: string, to: string) => {
    const up = "../".repeat(from.split("/").length - 1)
    return `"${up === "" ? "./" : up}${to.replace(/\.ts$/, ".js")}"`
  }

  const forms: ReadonlyArray<(specifier: string) => string> = [
    (specifier) => `import * as A from ${specifier}`,
    (specifier) => `import type { A } from ${specifier}`,
    (specifier) => `import { type A } from ${specifier}`,
    (specifier) => `export { A } from ${specifier}`,
    (specifier) => `export type { A } from ${specifier}`,
    (specifier) => `export * as A from ${specifier}`,
    (specifier) => `export const a = import(${specifier})`,
    (specifier) => `export type A = import(${specifier}).A`,
    (specifier) => `import A = require(${specifier})`
  ]

  for (const [floor, files] of floors.entries()) {
    for (const file of files) {
      it(`${file} uses only rooms below it`, async () => {
        const targets = floors.flatMap((files, at) => files.map((file) => ({ file, at })))
          .filter((target) => target.file !== file)
        const isWrong = (target: { readonly file: string; readonly at: number }) =>
          target.at > floor || (file.startsWith("providers/") && target.file.startsWith("policy/"))
        // Values and types; the other forms are tried below.
        for (const form of forms.slice(0, 2)) {
          const found = await lint(
            `src/${file}`,
            targets.map((target) => form(specifier(file, target.file))),
            /^house\//
          )
          assert.deepStrictEqual(
            found.lines.map((line) => targets[line]!.file),
            targets.filter(isWrong).map((target) => target.file)
          )
        }
      })
    }
  }

  it("no form of an import goes unseen", async () => {
    const file = "policy/rateLimit/a.ts"
    for (const target of ["client/a.ts", "LlmClient.ts"]) {
      const found = await lint(`src/${file}`, forms.map((form) => form(specifier(file, target))), /^house\//)
      assert.deepStrictEqual(found.lines, forms.map((_, line) => line))
    }
  })

  it("no path leads around the rule", async () => {
    const found = await lint("src/policy/rateLimit/a.ts", [
      `import * as A from "./../../client/a.js"`,
      `import * as B from "../../domain/../client/a.js"`,
      `import * as C from "effect-llm"`,
      `import * as D from "effect-llm/LlmClient"`,
      `import * as E from "../../../scripts/a.mjs"`,
      `import * as F from "../../attic/a.js"`
    ], /^house\//)
    assert.deepStrictEqual(found.lines, [0, 1, 2, 3, 4, 5])
  })

  it("a file outside of every room is refused", async () => {
    const { messages } = await lint("src/attic/a.ts", ["export const a = 1"], /^house\//)
    assert.deepStrictEqual(messages, ["attic/a.ts is in no room: give it a place in eslint.config.mjs."])
  })

  const folder = (file: string, allowed: ReadonlyArray<string>, refused: ReadonlyArray<string>) =>
    it(`${file} uses of its neighbours only ${allowed.join(", ")}`, async () => {
      const targets = [...allowed, ...refused]
      const found = await lint(
        `src/${file}`,
        targets.map((target) => `import * as A from ${specifier(file, target)}`),
        /^house\//
      )
      assert.deepStrictEqual(found.lines.map((line) => targets[line]!), [...refused])
    })

  folder("providers/openaiChat/a.ts", ["providers/httpProvider.ts", "providers/openai/models.ts"], [
    "providers/openai/request.ts",
    "providers/anthropic/models.ts"
  ])
  folder("providers/openai/a.ts", ["providers/codec.ts", "providers/openai/models.ts"], [
    "providers/openaiChat/hosts.ts"
  ])
  folder("providers/a.ts", ["providers/codec.ts"], ["providers/openai/models.ts"])
  folder("policy/budget/a.ts", ["policy/pricing/Pricing.ts", "policy/rateLimit/tokenCount.ts", "policy/a.ts"], [
    "policy/rateLimit/RateLimit.ts",
    "policy/retry/retryBudget.ts"
  ])
  folder("policy/hedge/a.ts", ["policy/retry/retryBudget.ts"], ["policy/retry/RetryPolicy.ts", "policy/budget/a.ts"])
  folder("policy/retry/a.ts", ["policy/retry/RetryPolicy.ts"], ["policy/hedge/Hedge.ts"])
  folder("policy/a.ts", ["policy/b.ts"], ["policy/retry/RetryPolicy.ts"])
})

describe("imports from outside", () => {
  const refuses = (name: string, file: string, lines: ReadonlyArray<string>, expected: ReadonlyArray<number>) =>
    it(name, async () => {
      assert.deepStrictEqual((await lint(file, lines, /import/)).lines, expected)
    })

  const outside = [
    `import * as A from "node:fs"`,
    `import type { B } from "node:fs/promises"`,
    `import * as C from "@effect/platform/HttpClient"`,
    `import { Effect } from "effect"`,
    `import * as Effect from "effect/Effect"`
  ]
  refuses("a provider knows no Node and no barrel", "src/providers/gemini/a.ts", outside, [0, 1, 3])
  refuses("the index knows no Node", "src/index.ts", outside, [0, 1, 3])
  refuses("the vocabulary knows no platform either", "src/domain/a.ts", outside, [0, 1, 2, 3])
  refuses("a pure file of wire knows no platform either", "src/wire/sse.ts", outside, [0, 1, 2, 3])
  refuses("only the native hash knows Node", "src/internal/sha256.node.ts", outside, [2, 3])
})

describe("seams", () => {
  const modules = ["Chunk", "Channel", "DefaultServices", "FiberRef", "FiberRefs", "Runtime"]

  for (
    const [file, allowed] of [
      ["policy/rateLimit/RateLimit.ts", []],
      ["client/call.ts", []],
      ["LlmLogger.ts", []],
      ["policy/settledStream.ts", ["Chunk", "Channel"]],
      ["client/stream.ts", ["Chunk", "Channel"]],
      ["runtime/timer.ts", ["DefaultServices", "FiberRef", "FiberRefs", "Runtime"]],
      ["runtime/partFeed.ts", modules]
    ] as const
  ) {
    it(`${file} uses of Effect's changing modules ${allowed.join(", ") || "nothing"}`, async () => {
      for (const keyword of ["import", "import type", "export"]) {
        const lines = modules.map((module) => `${keyword} * as ${module} from "effect/${module}"`)
        const found = await lint(`src/${file}`, lines, /^house\//)
        assert.sameMembers(
          modules.filter((_, line) => !found.lines.includes(line)),
          [...allowed],
          keyword
        )
      }
    })
  }
})

describe("one place for each step of a call", () => {
  const deadline = [
    "const a = Effect.timeoutFail(one, two)",
    "const b = one.pipe(Effect.timeout(two))",
    "const c = one.pipe(Effect.timeoutOption(two))",
    `import { timeoutFail } from "effect/Effect"`,
    "const d = Stream.timeoutFail(one, two)",
    "const d2 = TimeLimit.timeoutFail(one, two)"
  ]
  const retry = [
    "const e = Effect.retry(one, two)",
    "const f = one.pipe(Effect.retryOrElse(two, three))",
    `import { retry } from "effect/Effect"`,
    "const g = Stream.retry(one, two)"
  ]
  const weakMap = ["const h = new WeakMap()"]
  const harmless = [
    "const i = TimeLimit.timeoutOrElse(one, two)",
    "const j = settings.retry.start(one)",
    "const k = withinDeadline(one)(two)"
  ]
  const all = [...deadline, ...retry, ...weakMap, ...harmless]

  for (
    const [file, refused] of [
      ["client/call.ts", weakMap],
      ["client/stream.ts", [...deadline, ...weakMap]],
      ["client/tools.ts", [...deadline, ...retry, ...weakMap]],
      ["client/toolLoop.ts", [...deadline, ...retry, ...weakMap]],
      ["client/toolAnswers.ts", [...retry, ...weakMap]],
      ["client/object.ts", [...deadline, ...retry, ...weakMap]],
      ["client/objectStream.ts", [...deadline, ...retry, ...weakMap]],
      ["client/responseCache.ts", [...deadline, ...retry, ...weakMap]],
      ["client/attempts.ts", [...deadline, ...retry, ...weakMap]],
      ["client/turns/a.ts", [...deadline, ...retry, ...weakMap]],
      ["LlmClient.ts", [...deadline, ...retry, ...weakMap]],
      ["policy/retry/RetryPolicy.ts", weakMap],
      ["policy/hedge/Hedge.ts", [...retry, ...weakMap]],
      ["providers/openai/OpenAi.ts", [...retry, ...weakMap]],
      ["output/jsonSchemaDialect.ts", retry],
      ["domain/a.ts", [...retry, ...weakMap]]
    ] as const
  ) {
    it(`${file} keeps to its part`, async () => {
      const found = await lint(`src/${file}`, all, /^no-restricted-syntax$/)
      assert.deepStrictEqual(found.lines.map((line) => all[line]!), [...refused])
    })
  }

  it("none of these places may use promises, the wall clock, chance or a spread in push", async () => {
    const lines = [
      "const a = async () => {}",
      "const b = Date.now()",
      "const c = Math.random()",
      "a.push(...b)"
    ]
    for (
      const file of ["client/call.ts", "client/stream.ts", "client/tools.ts", "client/object.ts", "LlmClient.ts"]
        .concat("policy/retry/RetryPolicy.ts", "output/StandardSchema.ts", "domain/a.ts")
    ) {
      assert.deepStrictEqual((await lint(`src/${file}`, lines, /^no-restricted-syntax$/)).lines, [0, 1, 2, 3], file)
    }
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Circles
// ---------------------------------------------------------------------------------------------------------------------

describe.concurrent("circles", { timeout: 60_000 }, () => {
  const packageOf = (files: { readonly [path: string]: string }) => write({ "tsconfig.json": tsconfig, ...files })

  it("three modules in a circle are refused, also by their types, and two in a row are not", async () => {
    const [circle, row] = await Promise.all([
      packageOf({
        "src/a.ts": `import { b } from "./rooms/b.js"\nexport type A = number\nexport const a: A = b`,
        "src/rooms/b.ts": `import { c } from "./c.js"\nexport const b = c`,
        "src/rooms/c.ts": `import type { A } from "../a.js"\nexport const c: A = 1`
      }),
      packageOf({
        "src/a.ts": `import { b } from "./rooms/b.js"\nexport const a = b`,
        "src/rooms/b.ts": `export const b = 1`
      })
    ].map((folder) => run(scripts["check:circular"]!, folder)))
    assert.strictEqual(circle!.code, 1, circle!.output)
    assert.include(circle!.output, "a.ts > rooms/b.ts > rooms/c.ts")
    assert.strictEqual(row!.code, 0, row!.output)
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Documentation
// ---------------------------------------------------------------------------------------------------------------------

describe.concurrent("documentation", { timeout: 60_000 }, () => {
  const checkDocs = (files: { readonly [path: string]: string }) =>
    run(
      `node ${JSON.stringify(join(root, "scripts", "check-docs.mjs"))} .`,
      write({
        "tsconfig.json": tsconfig,
        "package.json": JSON.stringify({
          type: "module",
          exports: { ".": "./dist/index.js", "./House": "./dist/rooms/House.js", "./package.json": "./package.json" }
        }),
        "src/index.ts": `/**\n * @since 0.1.0\n */\nexport * as House from "./rooms/House.js"\n`,
        ...files
      })
    )

  const doc = (text: string) => `/**\n * ${text}\n *\n * @since 0.1.0\n * @category models\n */`

  it("names the place of each export, property of options and header that lacks something", async () => {
    const { code, output } = await checkDocs({
      "src/rooms/House.ts": [
        `import type { Hidden } from "./hidden.js"`,
        `export const bare = 1`,
        `/** Has no tags. */`,
        `export const untagged = (hidden: Hidden): Hidden => hidden`,
        `/**`,
        ` * @since 0.1.0`,
        ` * @category models`,
        ` */`,
        `export class Silent {}`,
        `/** Has no version. @since ever */ export type Old = 1`,
        doc("What it does."),
        `export interface Options extends Base {`,
        `  readonly width: number`,
        `  /** How the rest is. */`,
        `  readonly rest: { readonly height: number }`,
        `}`,
        `interface Base {`,
        `  readonly depth: number`,
        `}`,
        `export { thing, type Hidden } from "./hidden.js"`,
        `export * from "./more.js"`,
        `const secret = 1`,
        `/** @internal */`,
        `export const inside = secret`
      ].join("\n"),
      "src/rooms/hidden.ts": `export interface Hidden {}\n${doc("A thing.")}\nexport const thing = 1`,
      "src/rooms/more.ts": `export function more(): void {}`
    })
    assert.strictEqual(code, 1, output)
    assert.deepStrictEqual(output.trim().split("\n"), [
      "src/rooms/House.ts:1:1: House: the module's header has no @since with a version",
      "src/rooms/House.ts:2:14: House.bare: no @category",
      "src/rooms/House.ts:2:14: House.bare: no @since with a version",
      "src/rooms/House.ts:2:14: House.bare: no docstring",
      "src/rooms/House.ts:4:14: House.untagged: no @category",
      "src/rooms/House.ts:4:14: House.untagged: no @since with a version",
      "src/rooms/House.ts:9:1: House.Silent: no docstring",
      "src/rooms/House.ts:10:36: House.Old: no @category",
      "src/rooms/House.ts:10:36: House.Old: no @since with a version",
      "src/rooms/House.ts:18:3: House.Options.width: no docstring",
      "src/rooms/House.ts:20:20: House.Options.rest.height: no docstring",
      "src/rooms/House.ts:23:3: House.Options.depth: no docstring",
      "src/rooms/House.ts:25:17: House.Hidden: no @category, declared in src/rooms/hidden.ts",
      "src/rooms/House.ts:25:17: House.Hidden: no @since with a version, declared in src/rooms/hidden.ts",
      "src/rooms/House.ts:25:17: House.Hidden: no docstring, declared in src/rooms/hidden.ts",
      "src/rooms/more.ts:1:1: House.more: no @category",
      "src/rooms/more.ts:1:1: House.more: no @since with a version",
      "src/rooms/more.ts:1:1: House.more: no docstring"
    ])
  })

  it("a documented module is accepted, also if a re-export or the value of the same name has the documentation", async () => {
    const { code, output } = await checkDocs({
      "src/rooms/House.ts": [
        `/** A house. @since 0.1.0 */`,
        `import { one } from "./hidden.js"`,
        doc("One."),
        `export const One = one`,
        `/**`,
        ` * @since 0.1.0`,
        ` * @category models`,
        ` */`,
        `export type One = typeof One`,
        doc("Both, by their names."),
        `export const { left, right } = { left: 1, right: 2 }`,
        doc("Handed on."),
        `export { one } from "./hidden.js"`,
        doc("Counts."),
        `export function count(of: string): number`,
        `export function count(of: number): number`,
        `export function count(): number {`,
        `  return 1`,
        `}`
      ].join("\n"),
      "src/rooms/hidden.ts": `export const one = 1`
    })
    assert.strictEqual(code, 0, output)
    assert.include(output, "6 exports and options of 2 modules are documented.")
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Pages
// ---------------------------------------------------------------------------------------------------------------------

it("each link and each path in the pages leads to a file", () => {
  const pages = ["README.md", "AGENTS.md", "llms.md", "SECURITY.md", "CONTRIBUTING.md", "bench/README.md"]
    .concat(readdirSync(join(root, "docs", "guide")).map((page) => `docs/guide/${page}`))
  const links = pages.flatMap((page) => {
    const text = readFileSync(join(root, page), "utf8")
    return [
      ...[...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, link]) => join(dirname(page), link!)),
      ...[...text.matchAll(/`(?:npx vitest run )?((?:src|test|scripts|examples)\/[\w./-]+)`/g)].map(([, path]) => path!)
    ].map((path) => `${page}: ${path}`)
  })
  assert.isAbove(links.length, 20)
  assert.deepStrictEqual(links.filter((link) => !existsSync(join(root, link.slice(link.indexOf(": ") + 2)))), [])
})
