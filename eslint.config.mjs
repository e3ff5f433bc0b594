import effect from "@effect/eslint-plugin"
import tseslint from "typescript-eslint"
import house from "./scripts/house-rule.mjs"

/** The rooms of the house, from the ground up: a room uses only rooms below it. */
const rooms = [
  ["internal/"],
  ["domain/"],
  ["LlmProvider.ts", "LlmCache.ts", "LlmLogger.ts"],
  ["telemetry/"],
  ["runtime/"],
  ["wire/"],
  ["UndiciTransport.ts", "AwsSignature.ts", "LlmStream.ts"],
  ["output/"],
  ["policy/"],
  ["providers/"],
  ["client/"],
  ["LlmClient.ts"],
  ["stores/"],
  ["testing/"],
  ["inspector/"],
  ["jobs/"],
  ["bridge/"],
  ["index.ts"]
]

/** Not above, but still none of their business: a provider makes one attempt, and policies wrap it from outside. */
const strangers = { "providers/": ["policy/"] }

/** The neighbours that a folder of a room may use, besides the files that all of them share. */
const folders = {
  "policy/": {
    "budget/": ["pricing/", "rateLimit/tokenCount.ts"],
    "hedge/": ["retry/retryBudget.ts"]
  },
  "providers/": {
    "openaiChat/": [
      "openai/batches.ts",
      "openai/embeddings.ts",
      "openai/errors.ts",
      "openai/models.ts",
      "openai/promptCache.ts"
    ]
  }
}

/** The files that handle the chunks and channels of streams themselves: another version of Effect has others. */
const streamModules = [
  "runtime/partFeed.ts",
  "wire/httpClientTransport.ts",
  "wire/undiciHttpClient.ts",
  "policy/openStream.ts",
  "policy/settledStream.ts",
  "providers/answerStream.ts",
  "client/stream.ts",
  "client/objectStream.ts"
]

/** Modules of Effect that differ between its versions, and the only places that may use them. */
const seams = {
  "effect/Chunk": streamModules,
  "effect/Channel": streamModules,
  "effect/DefaultServices": ["runtime/"],
  "effect/FiberRef": ["runtime/"],
  "effect/FiberRefs": ["runtime/"],
  "effect/Runtime": ["runtime/"]
}

/** Files that know neither HTTP nor any platform, so that they run and port anywhere. */
const pure = [
  "src/internal/**",
  "src/domain/**",
  "src/wire/sse.ts",
  "src/wire/partEvents.ts",
  "src/wire/ndjson.ts",
  "src/wire/answerDraft.ts",
  "src/wire/classify.ts",
  "src/wire/commonErrors.ts",
  "src/wire/errorBody.ts",
  "src/wire/errorRules.ts",
  "src/wire/contextLength.ts",
  "src/wire/frame.ts",
  "src/wire/json.ts",
  "src/wire/toolArguments.ts",
  "src/wire/retryAfter.ts",
  "src/wire/rateLimitHeaders.ts",
  "src/wire/rateLimitFields.ts",
  "src/providers/{modelFacts,refusals,refusedSetting,settings}.ts",
  "src/providers/*/{request,answer,embeddings,errors,models,hosts,dialect}.ts"
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

const sourceSyntax = [
  spreadInPush,
  { selector: ":function[async=true]", message: "Effect instead of Promise." },
  { selector: ":function[generator=true] TryStatement", message: "A generator of Effects never throws." },
  { selector: "MemberExpression[object.name='Date'][property.name='now']", message: "Clock tells the time." },
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: "Clock tells the time." },
  { selector: "MemberExpression[object.name='Math'][property.name='random']", message: "Random instead." }
]

/** A member of Effect's modules, by its name or imported alone. */
const member = (modules, names) =>
  `:matches(MemberExpression[object.name=/^(${modules})$/][property.name=/^(${names})/], ` +
  `ImportDeclaration[source.value=/^effect.(${modules})$/] > ImportSpecifier[imported.name=/^(${names})/])`

const noTimeout = {
  selector: `:matches(${member("Effect|Stream", "timeout")}, MemberExpression[property.name='timeoutFail'])`,
  message: "The deadline stands in client/call.ts, once: use its withinDeadline, or a limit of src/runtime."
}

const noRetry = {
  selector: member("Effect|Stream", "retry"),
  message: "Only client/call.ts and client/stream.ts retry, as the retry policy says."
}

const noWeakMap = {
  selector: "NewExpression[callee.name='WeakMap']",
  message: "No side channels: pass it as an argument or a result."
}

/** Files that remember something for as long as its key lives. Without it they would only take longer, or choose worse. */
const memories = [
  "src/output/StandardSchema.ts",
  "src/output/jsonSchemaDialect.ts",
  "src/output/partialAnswer.ts",
  "src/policy/targets/Balance.ts"
]

const restrictedSyntax = (...selectors) => ({ "no-restricted-syntax": ["error", ...sourceSyntax, ...selectors] })

export default tseslint.config(
  {
    ignores: [
      "editions/*/generated/",
      "dist/",
      ".cache/",
      "coverage/",
      "results/",
      "docs/api/",
      "docs/public/",
      "docs/.vitepress/cache/",
      "docs/.vitepress/dist/"
    ]
  },
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
        packageNames: ["effect", "@effect/platform", "@effect/experimental", "@effect/ai"]
      }],
      "no-console": "error",
      "no-restricted-globals": ["error", "setTimeout", "setInterval", "setImmediate", "process", "Buffer"]
    }
  },
  { files: ["src/**"], rules: restrictedSyntax(noWeakMap, noRetry) },
  { files: memories, rules: restrictedSyntax(noRetry) },
  { files: ["src/policy/retry/**"], rules: restrictedSyntax(noWeakMap) },
  { files: ["src/client/**", "src/LlmClient.ts"], rules: restrictedSyntax(noWeakMap, noRetry, noTimeout) },
  { files: ["src/client/call.ts"], rules: restrictedSyntax(noWeakMap) },
  { files: ["src/client/stream.ts"], rules: restrictedSyntax(noWeakMap, noTimeout) },
  // A database, and a batch API whose work is paid for: neither is a call.
  { files: ["src/jobs/persist.ts", "src/jobs/batchService.ts"], rules: restrictedSyntax(noWeakMap) },
  // `toolTimeout`, around one call of a tool.
  { files: ["src/client/toolAnswers.ts"], rules: restrictedSyntax(noWeakMap, noRetry) },
  {
    files: ["src/**"],
    plugins: { house },
    rules: { "house/imports": ["error", { rooms, strangers, folders, seams }], ...restrictedImports(noNode) }
  },
  { files: pure, rules: restrictedImports(noNode, noPlatform) },
  { files: ["src/internal/sha256.node.ts"], rules: restrictedImports(noPlatform) },
  // Undici runs on Node alone, and its `DecompressionStream` knows no brotli there.
  { files: ["src/wire/undiciDecoder.ts"], rules: restrictedImports(noPlatform) },
  // Declarations that stand in place of others are used by what surrounds these, and have their types.
  {
    files: ["editions/*/overlay/**"],
    rules: {
      "@typescript-eslint/no-unused-vars": "off",
      "@typescript-eslint/no-empty-object-type": "off",
      "@typescript-eslint/no-explicit-any": "off"
    }
  },
  {
    files: ["test/**"],
    rules: {
      "@effect/no-import-from-barrel-package": ["error", { packageNames: ["effect", "@effect/platform"] }]
    }
  }
)
