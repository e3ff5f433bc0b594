import { MalformedResponse, type ReasonOf } from "../domain/LlmError.js"
import type * as Message from "../domain/Message.js"
import type { StreamPart } from "../domain/StreamPart.js"
import { wellFormed, wellFormedJson, wellFormedValue } from "../internal/wellFormed.js"
import { readToolCall } from "./toolArguments.js"

/** More than any model calls at once: a larger number is a fault of the service. */
const maxToolCalls = 128

/** The maximum length of an answer, in UTF-16 code units. */
const maxLength = 32 * 1024 * 1024

/** Empty parts do not count towards the limit above. */
const maxParts = 10_000

interface TextDraft {
  readonly _tag: "Text"
  text: string
  fields: TextFields
  readonly sources: Array<Message.Source>
  /** The sources as JSON, each after its place. */
  readonly seen: Set<string>
}

/** Sources that belong to no text. */
interface SourcesDraft extends Pick<TextDraft, "seen" | "sources"> {
  readonly _tag: "Sources"
}

interface OpaqueDraft {
  readonly _tag: "Opaque"
  part: Message.Opaque
  given: boolean
}

interface RefusalDraft {
  readonly _tag: "Refusal"
  text: string
}

interface ReasoningDraft {
  readonly _tag: "Reasoning"
  text: string
  fields: ReasoningFields
  /** A part that is encrypted or only signed has no text, which differs from an empty text. */
  hasText: boolean
}

interface ToolDraft {
  readonly _tag: "ToolCall"
  /** Its position among the calls. */
  readonly index: number
  text: string
  id: string
  name: string
  signature: string | undefined
  native: Message.Native | undefined
  started: boolean
  whole: Message.ToolCall | undefined
}

type AnyDraft = TextDraft | RefusalDraft | ReasoningDraft | ToolDraft | SourcesDraft | OpaqueDraft

type TextFields = Omit<Message.Text, "_tag" | "text">

type ReasoningFields = Omit<Message.Reasoning, "_tag" | "text">

type Problem = ReasonOf<"MalformedResponse"> | ReasonOf<"ToolArgumentsInvalid">

/**
 * A streamed answer that is still arriving: a codec adds the pieces of its protocol's events, and takes stream parts and the
 * answer so far. The protocol's own keys (the index of a block, say) identify the pieces, which are in the answer in the
 * order in which they began. Bounded in size. A piece may end in half a character; a part has only whole ones.
 */
export interface AnswerDraft {
  /** Takes the stream parts since the last time. */
  readonly take: () => ReadonlyArray<StreamPart>
  /** Whether there have been any stream parts. Before the first, the request can be sent again. */
  readonly begun: () => boolean
  /** A piece of text, and further fields of it. */
  readonly text: (key: string, delta: string, fields?: TextFields) => void
  /** A source of the text with this key, or of the whole answer. The same source at the same place counts once. */
  readonly source: (key: string | undefined, source: Omit<Message.Source, "_tag">, place?: string) => void
  /** A block that is kept as it arrives. It may grow, in its place, until it is whole. */
  readonly opaque: (key: string, block: Omit<Message.Opaque, "_tag">) => void
  /** Ends an opaque block, which is given out then. */
  readonly endOpaque: (key: string) => void
  /** A piece of a refusal. */
  readonly refusal: (key: string, delta: string) => void
  /** A piece of reasoning, or further fields of it. */
  readonly reasoning: (key: string, delta: string | undefined, fields?: ReasoningFields) => void
  /**
   * A piece of a tool call. The call starts as soon as its name is known. A repeated id or name counts once, a missing one
   * may come later. Ids identify calls, here and in the next turn: if a call starts without an id, it gets a generated one,
   * and a duplicate id is changed.
   */
  readonly tool: (key: string, piece: {
    readonly id?: string | undefined
    readonly name?: string | undefined
    readonly json?: string | undefined
    readonly signature?: string | undefined
    readonly native?: Message.Native | undefined
  }) => void
  /**
   * Ends a tool call that seems complete: its arguments are parsed, if possible. A call without arguments may be one that
   * was cut before them: it ends when the next part begins, or with all others.
   */
  readonly endTool: (key: string) => void
  /** Ends all tool calls. If the token limit cut the answer, a call whose arguments are not JSON is kept as incomplete. */
  readonly endTools: (options: { readonly truncated: boolean }) => void
  /** The first problem: a limit was exceeded, or a tool call's arguments are not JSON. */
  readonly problem: () => Problem | undefined
  /** The answer so far. */
  readonly parts: () => ReadonlyArray<Message.ResponsePart>
}

// Written as literals: the constructors of the schemas would check the types again.
const finished = (draft: AnyDraft): ReadonlyArray<Message.ResponsePart> => {
  switch (draft._tag) {
    case "Text":
      // A source may come before its text, which then may not come at all.
      return draft.text === "" && draft.sources.length > 0 && Object.keys(draft.fields).length === 0
        ? draft.sources
        : [{ _tag: "Text", text: wellFormed(draft.text), ...draft.fields }, ...draft.sources]
    case "Sources":
      return draft.sources
    case "Opaque":
      return [draft.part]
    case "Refusal":
      return [{ _tag: "Refusal", text: wellFormed(draft.text) }]
    case "Reasoning":
      return [{
        _tag: "Reasoning",
        ...(draft.hasText && { text: wellFormed(draft.text) }),
        ...draft.fields
      }]
    case "ToolCall":
      return [
        draft.whole ?? {
          _tag: "ToolCall",
          id: draft.id,
          name: draft.name,
          arguments: wellFormed(draft.text),
          incomplete: true,
          ...(draft.signature !== undefined && { signature: draft.signature }),
          ...(draft.native !== undefined && { native: draft.native })
        }
      ]
  }
}

/** Makes an empty draft. Tool calls without an id get one from `makeId`; by default `call_0`, `call_1` ... */
export const make = (makeId?: () => string): AnswerDraft => {
  const order: Array<AnyDraft> = []
  const texts = new Map<string, TextDraft>()
  const sources = new Map<string, SourcesDraft>()
  const opaques = new Map<string, OpaqueDraft>()
  const refusals = new Map<string, RefusalDraft>()
  const reasonings = new Map<string, ReasoningDraft>()
  const calls = new Map<string, ToolDraft>()
  const ids = new Set<string>()
  let out: Array<StreamPart> = []
  let taken = false
  let length = 0
  let count = 0
  let problem: Problem | undefined
  /** A call that has ended without arguments, as the last part so far. */
  let bare: ToolDraft | undefined

  const begin = <D extends AnyDraft>(drafts: Map<string, D>, key: string, draft: D): D => {
    // Only the last part can have been cut.
    if (bare !== undefined) endTool(bare, false)
    bare = undefined
    drafts.set(key, draft)
    order.push(draft)
    countPart()
    return draft
  }

  const countPart = (): void => {
    if (++count > maxParts) fail(`the answer has more than ${maxParts} parts`)
  }

  const beginText = (key: string): TextDraft =>
    begin(texts, key, { _tag: "Text", text: "", fields: {}, sources: [], seen: new Set() })

  const fail = (message: string): void => {
    problem ??= MalformedResponse.make({ message })
  }

  const grow = (delta: string): void => {
    length += delta.length
    if (length > maxLength) fail(`the answer is longer than ${maxLength} characters`)
  }

  const startTool = (draft: ToolDraft): void => {
    draft.started = true
    if (draft.id === "") draft.id = makeId?.() ?? `call_${draft.index}`
    while (ids.has(draft.id)) draft.id += `_${draft.index}`
    ids.add(draft.id)
    out.push({ _tag: "ToolCallStart", id: draft.id, name: draft.name })
    if (draft.text !== "") out.push({ _tag: "ToolCallDelta", id: draft.id, delta: draft.text })
  }

  const endTool = (draft: ToolDraft, truncated: boolean): Problem | undefined => {
    if (draft.whole !== undefined) return undefined
    const { id, name, signature, text: json } = draft
    if (name === "" && !truncated) return MalformedResponse.make({ message: "a tool call has no name" })
    const call = readToolCall({ id, name, json, signature }, { truncated })
    if (call._tag === "ToolArgumentsInvalid") return call
    draft.whole = draft.native === undefined ? call : { ...call, native: draft.native }
    if (call.incomplete !== true) out.push({ _tag: "ToolCallEnd", id, name, arguments: call.arguments })
    return undefined
  }

  return {
    take: () => {
      const parts = out
      out = []
      taken ||= parts.length > 0
      return parts
    },
    begun: () => taken || out.length > 0,
    text: (key, delta, fields) => {
      const known = texts.get(key)
      if (known === undefined && delta === "" && fields?.signature === undefined) return
      const draft = known ?? beginText(key)
      draft.text += delta
      if (fields !== undefined) draft.fields = { ...draft.fields, ...fields }
      grow(delta)
      if (delta !== "") out.push({ _tag: "TextDelta", text: delta })
    },
    source: (key, fields, place = "") => {
      const draft = key === undefined
        ? sources.get("") ?? begin(sources, "", { _tag: "Sources", sources: [], seen: new Set() })
        : texts.get(key) ?? beginText(key)
      const written = JSON.stringify({ _tag: "Source", ...fields })
      const json = wellFormedJson(written)
      const source: Message.Source = json === written ? { _tag: "Source", ...fields } : JSON.parse(json)
      if (draft.seen.has(place + json)) return
      draft.seen.add(place + json)
      draft.sources.push(source)
      countPart()
      grow(json)
      out.push(source)
    },
    opaque: (key, fields) => {
      const part: Message.Opaque = { _tag: "Opaque", ...fields }
      const draft = opaques.get(key) ?? begin(opaques, key, { _tag: "Opaque", part, given: false })
      draft.part = part
    },
    endOpaque: (key) => {
      const draft = opaques.get(key)
      if (draft === undefined || draft.given) return
      draft.given = true
      const json = JSON.stringify(draft.part.json) ?? ""
      draft.part = { ...draft.part, json: wellFormedValue(draft.part.json, json) }
      grow(json)
      out.push(draft.part)
    },
    refusal: (key, delta) => {
      if (delta === "") return
      const draft = refusals.get(key) ?? begin(refusals, key, { _tag: "Refusal", text: "" })
      draft.text += delta
      grow(delta)
    },
    reasoning: (key, delta, fields) => {
      const draft = reasonings.get(key) ??
        begin(reasonings, key, { _tag: "Reasoning", text: "", fields: {}, hasText: false })
      if (fields !== undefined) draft.fields = { ...draft.fields, ...fields }
      if (delta === undefined) return
      draft.hasText = true
      draft.text += delta
      grow(delta)
      if (delta !== "") out.push({ _tag: "ReasoningDelta", text: delta })
    },
    tool: (key, { id = "", json = "", name = "", native, signature }) => {
      const draft = calls.get(key) ?? begin(calls, key, {
        _tag: "ToolCall",
        index: calls.size,
        text: "",
        id: "",
        name: "",
        signature: undefined,
        native: undefined,
        started: false,
        whole: undefined
      })
      if (calls.size > maxToolCalls) return fail(`the answer has more than ${maxToolCalls} tool calls`)
      if (draft.id === "") draft.id = id
      if (draft.name === "") draft.name = name
      if (signature !== undefined) draft.signature = signature
      if (native !== undefined) draft.native = native
      draft.text += json
      grow(json)
      if (!draft.started && draft.name !== "") return startTool(draft)
      if (draft.started && json !== "") out.push({ _tag: "ToolCallDelta", id: draft.id, delta: json })
    },
    endTool: (key) => {
      const draft = calls.get(key)
      if (draft === undefined) return
      if (draft.text.trim() === "") bare = draft
      // Whether arguments that are not JSON are an error depends on the end of the answer: `endTools` reports it.
      else endTool(draft, false)
    },
    endTools: ({ truncated }) => {
      for (const draft of calls.values()) problem ??= endTool(draft, truncated)
    },
    problem: () => problem,
    parts: () => order.flatMap(finished)
  }
}
