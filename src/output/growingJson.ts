import { exactNumber } from "../internal/exactJson.js"

/** An open container, with its complete children in their order of completion. */
export interface Container {
  readonly kind: "object" | "array"
  readonly value: { [key: string]: unknown } & { [index: number]: unknown }
  /** The names of an object's children. */
  readonly keys: Array<string>
  /** The number of complete children. */
  size: number
  /** The name of the current child, in an object. */
  key: string
}

/**
 * One JSON value that arrives in pieces. A state machine that reads each character once, however the text is divided. It
 * accepts the same texts as `JSON.parse`, and repairs nothing. An integer that a number would change is a text.
 */
export interface GrowingJson {
  /** Adds text from an index on; returns the index of the first character after the value. */
  readonly push: (text: string, from: number) => number
  /** Marks the end of the text: a number may end here. */
  readonly end: () => void
  /** The open containers, from the root inwards. */
  readonly path: ReadonlyArray<Container>
  /** The unfinished string so far, unless it is a key. It never ends in half a surrogate pair. */
  readonly text: () => string | undefined
  /** Whether the position, or that of the failure, is inside a string (or a key), or inside an escape. */
  readonly place: () => "outside" | "string" | "escape"
  /** The value, once it is complete. */
  readonly whole: () => { readonly value: unknown } | undefined
  /** Whether the text is not JSON, or exceeds a limit. */
  readonly failed: () => boolean
}

/** No sound answer is nested deeper. */
const maxDepth = 128

/** In UTF-16 code units: the same limit as for a provider's answer. */
const maxLength = 32 * 1024 * 1024

type State =
  | "value"
  | "valueOrEnd"
  | "key"
  | "keyOrEnd"
  | "colon"
  | "commaOrEnd"
  | "string"
  | "escape"
  | "unicode"
  | "number"
  | "literal"
  | "whole"
  | "failed"

const quote = 0x22
const backslash = 0x5c

const escapes: ReadonlyMap<string, string> = new Map([
  ["\"", "\""],
  ["\\", "\\"],
  ["/", "/"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"]
])

const literals: ReadonlyMap<string, { readonly text: string; readonly value: unknown }> = new Map([
  ["t", { text: "true", value: true }],
  ["f", { text: "false", value: false }],
  ["n", { text: "null", value: null }]
])

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

/** The characters of a number after its first: digits and `+ - . E e`. */
const isNumeric = (code: number): boolean =>
  (code >= 0x30 && code <= 0x39) || code === 0x2b || code === 0x2d || code === 0x2e || code === 0x45 || code === 0x65

const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff

/** Sets an own property of any name, as `JSON.parse` does. */
export const setOwn = (object: { [key: string]: unknown }, key: string, value: unknown): void => {
  if (key === "__proto__") {
    Object.defineProperty(object, key, { value, configurable: true, enumerable: true, writable: true })
  } else object[key] = value
}

export const make = (): GrowingJson => {
  const path: Array<Container> = []
  let state: State = "value"
  let length = 0
  /** The unfinished string. It is only appended to: each read would flatten it, at the cost of its whole length. */
  let text = ""
  /** The first half of a surrogate pair whose second half has not arrived. */
  let half = ""
  let isKey = false
  let place: "outside" | "string" | "escape" = "outside"
  /** The unfinished number, literal or escape. */
  let token = ""
  let literal = { text: "", value: undefined as unknown }
  let root: { readonly value: unknown } | undefined

  const failed = (): boolean => state === "failed"

  const grow = (piece: string): void => {
    if (piece === "") return
    const last = isHighSurrogate(piece.charCodeAt(piece.length - 1)) ? piece.length - 1 : piece.length
    text += half + piece.slice(0, last)
    half = piece.slice(last)
  }

  const add = (value: unknown): void => {
    const parent = path.at(-1)
    if (parent === undefined) {
      root = { value }
      state = "whole"
      return
    }
    if (parent.kind === "object") {
      setOwn(parent.value, parent.key, value)
      parent.keys.push(parent.key)
    } else parent.value[parent.size] = value
    parent.size++
    state = "commaOrEnd"
  }

  const open = (kind: Container["kind"]): void => {
    if (path.length === maxDepth) {
      state = "failed"
      return
    }
    path.push({ kind, value: kind === "object" ? {} : Object.assign([]), keys: [], size: 0, key: "" })
    state = kind === "object" ? "keyOrEnd" : "valueOrEnd"
  }

  const close = (kind: Container["kind"]): void => {
    const container = path.at(-1)
    if (container?.kind !== kind) {
      state = "failed"
      return
    }
    path.pop()
    add(container.value)
  }

  const beginString = (key: boolean): void => {
    isKey = key
    text = ""
    half = ""
    place = "string"
    state = "string"
  }

  const endString = (): void => {
    const value = text + half
    place = "outside"
    const parent = path.at(-1)
    if (isKey && parent !== undefined) {
      parent.key = value
      state = "colon"
    } else add(value)
  }

  const beginValue = (character: string): void => {
    const known = literals.get(character)
    if (character === "\"") beginString(false)
    else if (character === "{") open("object")
    else if (character === "[") open("array")
    else if (known !== undefined) {
      literal = known
      token = character
      state = "literal"
    } else if (character === "-" || (character >= "0" && character <= "9")) {
      token = character
      state = "number"
    } else state = "failed"
  }

  const endNumber = (): void => {
    if (number.test(token)) add(exactNumber(token))
    else state = "failed"
  }

  /** Reads one character between values, or the first of a value. */
  const step = (character: string): void => {
    switch (state) {
      case "valueOrEnd":
        return character === "]" ? close("array") : beginValue(character)
      case "value":
        return beginValue(character)
      case "keyOrEnd":
        if (character === "}") return close("object")
        state = "key"
        return step(character)
      case "key":
        if (character === "\"") return beginString(true)
        break
      case "colon":
        if (character === ":") {
          state = "value"
          return
        }
        break
      case "commaOrEnd":
        if (character === ",") {
          state = path.at(-1)?.kind === "object" ? "key" : "value"
          return
        }
        if (character === "}") return close("object")
        if (character === "]") return close("array")
    }
    state = "failed"
  }

  const unescape = (character: string): void => {
    const meant = escapes.get(character)
    if (character === "u") {
      token = ""
      state = "unicode"
    } else if (meant !== undefined) {
      grow(meant)
      state = "string"
    } else state = "failed"
  }

  const push: GrowingJson["push"] = (chunk, from) => {
    let i = from
    while (i < chunk.length) {
      switch (state) {
        case "string": {
          const start = i
          let code = 0
          while (i < chunk.length) {
            code = chunk.charCodeAt(i)
            if (code === quote || code === backslash || code < 0x20) break
            i++
          }
          grow(chunk.slice(start, i))
          if (i === chunk.length) break
          if (code === quote) endString()
          else if (code === backslash) {
            place = "escape"
            state = "escape"
          } else state = "failed"
          if (!failed()) i++
          break
        }
        case "escape":
          unescape(chunk.charAt(i))
          if (failed()) break
          place = "string"
          i++
          break
        case "unicode": {
          const digit = chunk.charAt(i)
          if (!/[0-9a-fA-F]/.test(digit)) {
            state = "failed"
            break
          }
          token += digit
          i++
          if (token.length === 4) {
            grow(String.fromCharCode(Number.parseInt(token, 16)))
            state = "string"
          }
          break
        }
        case "number": {
          const start = i
          while (i < chunk.length && isNumeric(chunk.charCodeAt(i))) i++
          token += chunk.slice(start, i)
          if (i < chunk.length) endNumber()
          break
        }
        case "literal":
          if (chunk.charAt(i) !== literal.text[token.length]) {
            state = "failed"
            break
          }
          token += chunk.charAt(i)
          i++
          if (token.length === literal.text.length) add(literal.value)
          break
        case "whole":
        case "failed":
          length += i - from
          return i
        default:
          if (!isSpace(chunk.charCodeAt(i))) step(chunk.charAt(i))
          if (!failed()) i++
      }
    }
    length += i - from
    if (length > maxLength) state = "failed"
    return i
  }

  return {
    push,
    end: () => {
      if (state === "number") endNumber()
      if (state !== "whole") state = "failed"
    },
    path,
    text: () => place === "outside" || isKey || failed() ? undefined : text,
    place: () => place,
    whole: () => root,
    failed
  }
}
