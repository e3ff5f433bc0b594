/** A container that has begun: its children that are whole, in the order in which they became so. */
export interface Container {
  readonly kind: "object" | "array"
  readonly value: { [key: string]: unknown } & { [index: number]: unknown }
  /** The names of an object's children. */
  readonly keys: Array<string>
  /** How many children are whole. */
  size: number
  /** The name of the child that is under way, in an object. */
  key: string
}

/**
 * One JSON value that comes in pieces, and what is known of it at any time. A state machine: each character is looked at
 * once, whatever the pieces are. It takes what `JSON.parse` takes, and repairs nothing.
 */
export interface GrowingJson {
  /** Takes in more text, from an index on; gives the index of the first character that is not the value's. */
  readonly push: (text: string, from: number) => number
  /** There is no more text: a number may end here. */
  readonly end: () => void
  /** The containers that are open, from the root inwards. */
  readonly path: ReadonlyArray<Container>
  /** What has come of a string that is under way and is no key. Both halves of a surrogate pair, or none. */
  readonly text: () => string | undefined
  /** Whether a string is under way, a key or not, and perhaps an escape in it; also of what has failed there. */
  readonly place: () => "outside" | "string" | "escape"
  /** The value, once it is whole. */
  readonly whole: () => { readonly value: unknown } | undefined
  /** Whether the text is no JSON, or more of it than is read. */
  readonly failed: () => boolean
}

/** No answer is nested so deep; what is has gone wrong, or wants to. */
const maxDepth = 128

/** In UTF-16 code units, as much as a provider reads of an answer. */
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

/** Digits, and what else a number may have after its first character: `+ - . E e`. */
const isNumeric = (code: number): boolean =>
  (code >= 0x30 && code <= 0x39) || code === 0x2b || code === 0x2d || code === 0x2e || code === 0x45 || code === 0x65

const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff

/** As `JSON.parse` does: an own property, whatever its name. */
export const setOwn = (object: { [key: string]: unknown }, key: string, value: unknown): void => {
  if (key === "__proto__") {
    Object.defineProperty(object, key, { value, configurable: true, enumerable: true, writable: true })
  } else object[key] = value
}

export const make = (): GrowingJson => {
  const path: Array<Container> = []
  let state: State = "value"
  let length = 0
  /** The string under way. It is only ever added to: reading it would make it flat, each time at the cost of all of it. */
  let text = ""
  /** The first half of a surrogate pair whose second half has not come. */
  let half = ""
  let isKey = false
  let place: "outside" | "string" | "escape" = "outside"
  /** A number, a literal or an escape, as far as it has come. */
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
    if (number.test(token)) add(Number(token))
    else state = "failed"
  }

  /** One character between or at the beginning of values. */
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
