import { assert, describe, it } from "@effect/vitest"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

// Editors show types and documentation: they have to be names, and not what the names stand for.

const root = fileURLToPath(new URL("../..", import.meta.url))
const fileName = `${root}test/domain/shown.ts`

const source = `
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { LlmClient, LlmError, LlmEvent, LlmRequest, LlmResponse, LlmTool, Message, StreamPart } from "effect-llm"

declare const response: LlmResponse.LlmResponse
declare const request: LlmRequest.LlmRequest
declare const error: LlmError.LlmError
declare const streamed: StreamPart.StreamPart
declare const event: LlmEvent.LlmEvent
declare const message: Message.Message

export const { parts, usage, rateLimit } = response
class River extends Schema.Class<River>("River")({ name: Schema.String }) {}
declare const ran: LlmClient.ToolRun<River | undefined>
declare const streamedPart: LlmClient.ToolPart<River>
export const { value, messages: history, pending, steps } = ran
export const nextTurn = response.message
if (streamedPart._tag === "ToolResult") streamedPart
if (streamedPart._tag === "Finish" && "run" in streamedPart) streamedPart.run
LlmClient.runTools({ model: "m", prompt: "p" }, [LlmTool.make("f", { handler: () => Effect.void })], {
  stopWhen: () => true,
  toolTimeout: 1,
  prepareStep: (state) => ({ topP: state.step })
})
export const { reason } = error
export const { messages, tools, outputSchema } = request
export const text = Message.Text.make({ text: "a" })
export const limited = LlmError.RateLimited.make({})
if (streamed._tag === "TextDelta") streamed
if (event._tag === "CallOk") event
if (message.role === "user") message.content
if (parts[0]?._tag === "ToolCall") parts[0].arguments

export const prompted: LlmRequest.Input = { model: "m", prompt: "p", temperature: 0 }
export const talking: LlmRequest.Input = { system: "s", messages: [{ role: "user", content: "c" }], seed: 1 }
declare const call: (request: LlmRequest.Input) => void
call({ topP: 1, model: "m", prompt: "p" })
call({ topK: 1 })
LlmError.catchReason(Effect.fail(error), "RateLimited", (caught) => Effect.succeed(caught.retryAfter))
LlmError.catchReason(Effect.fail(error), "OutputInvalid", ({ issues, omittedIssues }) => Effect.succeed(issues))
`

const service = (() => {
  const configuration = ts.findConfigFile(root, ts.sys.fileExists)
  assert(configuration !== undefined)
  const { config } = ts.readConfigFile(configuration, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, path.dirname(configuration))
  return ts.createLanguageService({
    getCompilationSettings: () => ({ ...options, noUnusedLocals: false }),
    getScriptFileNames: () => [fileName],
    getScriptVersion: () => "1",
    getScriptSnapshot: (path) => {
      const text = path === fileName ? source : ts.sys.readFile(path)
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
    },
    getCurrentDirectory: () => root,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: (path) => path === fileName || ts.sys.fileExists(path),
    readFile: ts.sys.readFile,
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
    readDirectory: ts.sys.readDirectory
  })
})()

/** What an editor shows of the name that `at` ends with: its type and its documentation. */
const shown = (at: string) => {
  const place = source.indexOf(at)
  assert.isAtLeast(place, 0, at)
  const info = service.getQuickInfoAtPosition(fileName, place + at.length - 1)
  assert(info !== undefined, at)
  return {
    // Without its kind and name.
    type: ts.displayPartsToString(info.displayParts).replace(/^[^:]*: /, ""),
    documentation: ts.displayPartsToString(info.documentation)
  }
}

describe("an editor shows", () => {
  it("the name of a type, not its fields", () => {
    for (
      const [at, type] of [
        [
          "{ parts",
          "readonly (Message.Text | Message.Reasoning | Message.ToolCall | Message.Refusal | Message.Source | Message.Opaque)[]"
        ],
        ["parts, usage", "LlmResponse.Usage"],
        ["usage, rateLimit", "LlmResponse.RateLimit | undefined"],
        ["messages, tools", "readonly LlmRequest.Tool[] | undefined"],
        ["tools, outputSchema", "LlmRequest.OutputSchema | undefined"],
        ["const text", "Message.Text"],
        ["const limited", "LlmError.RateLimited"],
        ["\"TextDelta\") streamed", "StreamPart.TextDelta"],
        ["\"CallOk\") event", "LlmEvent.CallOk"],
        [
          "message.content",
          "readonly (Message.Text | Message.ImageUrl | Message.ImageBytes | Message.FileUrl | Message.FileBytes | Message.CachePoint)[]"
        ],
        ["{ value", "River | undefined"],
        ["history, pending", "readonly Message.ToolCall[]"],
        ["pending, steps", "readonly ToolStep[]"],
        ["const nextTurn", "Message.AssistantMessage"],
        ["\"ToolResult\") streamedPart", "Message.ToolResult"],
        ["streamedPart.run", "ToolRun<River>"],
        ["prepareStep: (state", "StepState"],
        ["(caught", "LlmError.RateLimited"],
        ["const prompted", "LlmRequest.Input"],
        ["\"s\", messages", "readonly Message.Input[]"]
      ] as const
    ) {
      assert.strictEqual(shown(at).type, type, at)
    }
    for (
      const [at, names] of [
        ["{ reason", ["LlmError.RateLimited", "LlmError.StreamInterrupted", "LlmError.AllProvidersFailed"]],
        ["{ messages", ["Message.SystemMessage", "Message.UserMessage", "Message.ToolMessage"]]
      ] as const
    ) {
      for (const name of names) assert.include(shown(at).type, name)
      assert.notInclude(shown(at).type, "_tag")
    }
  }, 120_000)

  it("the documentation of a request's fields while it is written", () => {
    for (
      const [at, documentation] of [
        ["= { model", "The provider's name of the model."],
        ["\"m\", prompt", "The text of the one user message."],
        ["\"p\", temperature", "How freely the model chooses"],
        ["{ system", "Instructions for the whole conversation."],
        ["\"s\", messages", "The conversation so far"],
        ["], seed", "Makes sampling repeatable"],
        ["{ topP", "Nucleus sampling"],
        ["{ topK", "Sample from the K likeliest tokens."]
      ] as const
    ) {
      assert.include(shown(at).documentation, documentation, at)
    }
  }, 120_000)

  it("the documentation of fields", () => {
    for (
      const [at, documentation] of [
        ["{ parts", "All parts of the answer, in order."],
        ["{ messages", "The conversation so far."],
        ["parts[0].arguments", "The parsed JSON of the arguments"],
        ["caught.retryAfter", "How long the provider asks to wait"],
        ["issues, omittedIssues", "The number of further places."]
      ] as const
    ) {
      assert.include(shown(at).documentation, documentation, at)
    }
  }, 120_000)
})
