import effect from "@effect/eslint-plugin"
import tseslint from "typescript-eslint"

/** The rooms of the house, from the ground up: a room uses only rooms below it. */
const rooms = [
  ["internal/"],
  ["domain/"],
  ["LlmProvider.ts", "LlmCache.ts", "LlmLogger.ts"],
  ["telemetry/"],
  ["runtime/"],
  ["wire/"],
  ["UndiciTransport.ts"],
  ["output/"],
  ["policy/"],
  ["providers/"],
  ["client/", "LlmClient.ts"],
  ["stores/"],
  ["testing/"],
  ["bridge/"],
  ["index.ts"]
]

/** Relative imports of a room, from any depth. */
const importsOf = (room) => ({
  regex: `^(\\./|(\\.\\./)+)(${room.map((path) => path.replace(".ts", "\\.js$")).join("|")})`
})

const above = (floor) => ({
  ...importsOf(rooms.slice(floor + 1).flat()),
  message: "A room uses only rooms below it."
})

/** Not above providers, but still none of their business. */
const noPolicy = { ...importsOf(["policy/"]), message: "A provider makes one attempt: policies wrap it from outside." }

/** Files that know neither HTTP nor any platform, so that they run and port anywhere. */
const pure = [
  "src/internal/**",
  "src/domain/**",
  "src/wire/sse.ts",
  "src/wire/ndjson.ts",
  "src/wire/answerDraft.ts",
  "src/wire/classify.ts",
  "src/wire/errorBody.ts",
  "src/wire/frame.ts",
  "src/wire/json.ts",
  "src/wire/toolArguments.ts",
  "src/wire/retryAfter.ts",
  "src/wire/rateLimitHeaders.ts"
]

const noPlatform = {
  group: ["@effect/platform", "@effect/platform/*", "@effect/experimental", "@effect/experimental/*"],
  message: "Pure code knows no platform."
}

const noNode = { group: ["node:*"], message: "The library also runs in browsers, Deno and workers." }

const restrictedImports = (...patterns) => ({ "no-restricted-imports": ["error", { patterns }] })

const spreadInPush = {
  selector: "CallExpression[callee.property.name='push'] > SpreadElement",
  message: "Overflows the stack for long arrays: push in a loop."
}

export default tseslint.config(
  { ignores: ["dist/", ".cache/", "coverage/", "results/"] },
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  tseslint.configs.recommended,
  {
    plugins: { "@effect": effect },
    rules: {
      "@effect/dprint": ["error", {
        config: {
          indentWidth: 2,
          lineWidth: 120,
          operatorPosition: "maintain",
          semiColons: "asi",
          quoteStyle: "alwaysDouble",
          trailingCommas: "never",
          "arrowFunction.useParentheses": "force",
          "module.sortExportDeclarations": "maintain"
        }
      }],
      "@typescript-eslint/array-type": ["error", { default: "generic", readonly: "generic" }],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-empty-object-type": ["error", { allowInterfaces: "with-single-extends" }],
      "@typescript-eslint/no-unused-vars": ["error", {
        argsIgnorePattern: "^_",
        caughtErrorsIgnorePattern: "^_",
        varsIgnorePattern: "^_"
      }],
      eqeqeq: "error",
      "no-duplicate-imports": ["error", { allowSeparateTypeImports: true }],
      "no-restricted-syntax": ["error", spreadInPush],
      "object-shorthand": "error"
    }
  },
  {
    files: ["src/**"],
    rules: {
      "@effect/no-import-from-barrel-package": ["error", {
        packageNames: ["effect", "@effect/platform", "@effect/experimental"]
      }],
      "no-console": "error",
      "no-restricted-globals": ["error", "setTimeout", "setInterval", "setImmediate", "process", "Buffer"],
      "no-restricted-syntax": [
        "error",
        spreadInPush,
        { selector: ":function[async=true]", message: "Effect instead of Promise." },
        { selector: ":function[generator=true] TryStatement", message: "A generator of Effects never throws." },
        { selector: "MemberExpression[object.name='Date'][property.name='now']", message: "Clock tells the time." },
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: "Clock tells the time." },
        { selector: "MemberExpression[object.name='Math'][property.name='random']", message: "Random instead." }
      ]
    }
  },
  { files: ["src/index.ts"], rules: restrictedImports(noNode) },
  ...rooms.slice(0, -1).flatMap((room, floor) => {
    const files = room.map((path) => `src/${path}${path.endsWith("/") ? "**" : ""}`)
    const restrictions = [noNode, above(floor), ...(room.includes("providers/") ? [noPolicy] : [])]
    return [
      { files, rules: restrictedImports(...restrictions) },
      // Within the room's files, those that must be pure.
      ...pure.filter((path) => room.some((name) => path.startsWith(`src/${name}`)))
        .map((path) => ({ files: [path], rules: restrictedImports(...restrictions, noPlatform) }))
    ]
  }),
  { files: ["src/internal/sha256.node.ts"], rules: restrictedImports(above(0), noPlatform) },
  {
    files: ["test/**"],
    rules: {
      "@effect/no-import-from-barrel-package": ["error", { packageNames: ["effect", "@effect/platform"] }]
    }
  }
)
