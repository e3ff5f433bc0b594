import type { Reason } from "../../domain/LlmError.js"
import * as Json from "../../wire/json.js"
import * as Repetition from "../repetition.js"

/** A piece of a tool call. */
export interface Piece {
  readonly index: number | undefined
  readonly id: string
  readonly name: string
  readonly json: string
  readonly signature?: string | undefined
}

interface Call {
  /** Its key in the draft, once the call is there. */
  key: string | undefined
  readonly index: number | undefined
  id: string
  name: string
  json: string
  /** The call that was open when this one began without a name: both may be the same call. */
  previous: Call | undefined
}

/** Further ids without a name do not begin new calls: no model makes so many. */
const maxCalls = 256

const isWhole = (json: string): boolean => Json.isObject(Json.parse(json))

/**
 * Finds the call that each piece belongs to. The protocol distinguishes calls by index. Some services leave it out, or
 * send the same one for all: then a new id begins a call and a known one selects it, and if ids are missing, too, the
 * name and the place in the list do. A name may come after the arguments.
 */
export const make = (give: (key: string, piece: Omit<Piece, "index">) => void) => {
  const calls: Array<Call> = []
  const openAt = new Map<number, Call>()
  let current: Call | undefined
  let keys = 0

  const begin = ({ id, index, name }: Piece, open?: Call): Call => {
    // A named call may continue under another id, as some services make a new id for each piece.
    const previous = name === "" && open !== undefined && (open.name !== "" || open.previous !== undefined)
      ? open
      : undefined
    const call: Call = { key: undefined, index, id, name: "", json: "", previous }
    calls.push(call)
    return call
  }

  /** Whether a piece that seems to continue a call begins another one. */
  const beginsAgain = (call: Call, { json, name }: Piece): boolean =>
    name !== "" && (name !== call.name && call.name !== "" || (json.trimStart().startsWith("{") && isWhole(call.json)))

  const byId = (piece: Piece, open: Call | undefined): Call | undefined => {
    const { id, index, json, name } = piece
    const known = calls.findLast((call) => call.id === id && call.index === index) ??
      // Two calls with the same id but different indexes are two calls.
      (open === undefined && index !== undefined && name !== "" ? undefined : calls.findLast((call) => call.id === id))
    if (known !== undefined) {
      // "{}" often stands in for arguments that are still to come.
      if (known.json.trim() === "{}" && name === known.name || !beginsAgain(known, piece)) return known
      return json === known.json && name === known.name ? undefined : begin(piece)
    }
    if (open === undefined) return begin(piece)
    if (open.id === "" && !beginsAgain(open, piece)) return open
    return name === "" && calls.length >= maxCalls ? open : begin(piece, open)
  }

  const byName = (piece: Piece, open: Call): Call | undefined => {
    const { index, json, name } = piece
    if (open.name === "") return open
    if (index === undefined) return name === open.name && json !== "" && !isWhole(open.json) ? open : begin(piece)
    if (!beginsAgain(open, piece)) return open
    return json === open.json && name === open.name ? undefined : begin(piece)
  }

  /** The call of a piece that has only a place in a list of pieces, or an index that others have, too. */
  const byPlace = (place: number, pieces: ReadonlyArray<Piece>): Call | undefined => {
    const index = pieces[place]?.index
    if (pieces.length === 1 || pieces.some((piece) => piece.index !== index)) return undefined
    const peers = calls.filter((call) => call.index === index)
    return peers.length < pieces.length ? undefined : peers.slice(-pieces.length)[place]
  }

  const find = (piece: Piece, place: number, pieces: ReadonlyArray<Piece>): Call | undefined => {
    const open = piece.index === undefined ? current : openAt.get(piece.index)
    if (piece.id !== "") return byId(piece, open)
    if (open === undefined) return begin(piece)
    return piece.name === "" ? byPlace(place, pieces) ?? open : byName(piece, open)
  }

  const add = (call: Call, piece: Piece): void => {
    if (call.name === "") call.name = piece.name
    if (call.id === "") call.id = piece.id
    call.json += piece.json
    if (call.name === "" && call.previous !== undefined) return
    const isNew = call.key === undefined
    call.key ??= `${keys++}`
    // The pieces before the name were held back.
    give(call.key, isNew ? { ...piece, id: call.id, name: call.name, json: call.json } : piece)
  }

  /** Settles the calls that never got a name. */
  const settle = (): void => {
    for (const call of calls) {
      if (call.key !== undefined) continue
      let root = call.previous
      while (root !== undefined && root.key === undefined) root = root.previous
      // The same index means the same call, unless that one is whole. Otherwise the answer is wrong: a call has no
      // name.
      const goesOn = root?.key !== undefined && call.index !== undefined && !isWhole(root.json)
      call.key = goesOn && root?.key !== undefined ? root.key : `${keys++}`
      if (goesOn && root !== undefined) root.json += call.json
      give(call.key, { id: goesOn ? "" : call.id, name: "", json: call.json })
    }
  }

  /** Adds the pieces of one event. */
  const push = (pieces: ReadonlyArray<Piece>): void => {
    pieces.forEach((piece, place) => {
      const call = find(piece, place, pieces)
      // A call that was only repeated counts once.
      if (call === undefined) return
      current = call
      if (piece.index !== undefined) openAt.set(piece.index, call)
      add(call, piece)
    })
  }

  /**
   * Adds the calls of a whole message that repeats what has been streamed: known content counts once, missing content
   * is added, and other arguments of the same call are a problem.
   */
  const repeat = (pieces: ReadonlyArray<Piece>): Reason | undefined => {
    settle()
    const known = [...calls]
    let problem: Reason | undefined
    pieces.forEach((piece, place) => {
      const same = known.find((call) => call.id !== "" && call.id === piece.id) ??
        [known[place]].find((call) => call?.name === piece.name && isRepeated(call, piece))
      if (same === undefined) return add(begin(piece), piece)
      problem ??= Repetition.otherArguments(same.name, same.json, piece.json)
      if (piece.json.startsWith(same.json)) add(same, { ...piece, json: piece.json.slice(same.json.length) })
    })
    return problem
  }

  return { push, repeat, settle }
}

const isRepeated = (call: Call, { json }: Piece): boolean =>
  json.startsWith(call.json) || JSON.stringify(Json.parse(json)) === JSON.stringify(Json.parse(call.json))
