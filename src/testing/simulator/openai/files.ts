import { sha256Hex } from "#sha256"
import * as Either from "effect/Either"
import { utf8Length } from "../../../internal/utf8Length.js"
import { endpoint, idIn } from "../batches/endpoint.js"
import type { Envelope, Invalid, Json, Protocol } from "../protocol.js"
import { invalid, problem } from "../protocol.js"
import { responses } from "./responses.js"

/** A file of the service. */
export interface File {
  readonly id: string
  readonly filename: string
  readonly purpose: string
  readonly text: string
  /** Seconds since 1970. */
  readonly created: number
}

/** The files that were uploaded. */
export interface Files {
  readonly protocols: ReadonlyArray<Protocol>
  readonly find: (id: string) => File | undefined
  readonly clear: () => void
}

/** More than the largest file of a batch. */
export const maxBytes = 256 * 1024 * 1024

/** The most files that are kept. The oldest are dropped. */
const capacity = 1_000

const purposes: ReadonlyArray<string> = ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]

/** Reads a form with a file, whose bytes are a text. */
export const parseForm = (text: string, { headers }: Pick<Envelope, "headers">): Either.Either<Json, string> => {
  const boundary = /boundary="?([^";]+)"?/i.exec(headers["content-type"] ?? "")?.[1]
  if (boundary === undefined) return Either.left("the request is no form")
  const fields: { [name: string]: unknown } = {}
  for (const part of `\r\n${text}`.split(`\r\n--${boundary}`)) {
    const end = part.indexOf("\r\n\r\n")
    const head = part.slice(0, Math.max(0, end))
    const name = /content-disposition:[^\r\n]*\bname="([^"]*)"/i.exec(head)?.[1]
    if (name === undefined) continue
    const value = part.slice(end + 4)
    const filename = /\bfilename="([^"]*)"/i.exec(head)?.[1]
    if (filename === undefined) fields[name] = value
    else Object.assign(fields, { [name]: value, filename })
  }
  return Either.right(fields)
}

const notFound = (id: string): Invalid => ({ ...problem(`No such File object: ${id}`, "id"), status: 404 })

/** OpenAI's Files, as far as batches need them. `made` finds files that the service has made. */
export const makeFiles = (made: (id: string, now: number) => File | undefined): Files => {
  const files = new Map<string, File>()
  let uploaded = 0

  const encode = ({ created, filename, id, purpose, text }: File): Json => ({
    id,
    object: "file",
    bytes: utf8Length(text),
    created_at: created,
    filename,
    purpose,
    status: "processed",
    status_details: null
  })

  const find = (id: string, now = Infinity): File | undefined => files.get(id) ?? made(id, now)

  const known = (pattern: RegExp) => (_: Json, envelope: Envelope): Either.Either<{ readonly id: string }, Invalid> => {
    const id = idIn(pattern, envelope)
    return find(id) === undefined ? Either.left(notFound(id)) : Either.right({ id })
  }

  const one = /\/files\/([^/]+)$/
  const content = /\/files\/([^/]+)\/content$/
  const name = "openai-files" as const
  const textOf = (id: string, now: number): string => find(id, now)?.text ?? ""

  return {
    find,
    clear: () => files.clear(),
    protocols: [
      endpoint(responses, {
        name,
        path: /\/files$/,
        parse: parseForm,
        maxBodyBytes: maxBytes,
        decode: ({ file, filename, purpose }) =>
          typeof file !== "string" || typeof filename !== "string"
            ? invalid("Missing required parameter: 'file'.", "file", "missing_required_parameter")
            : typeof purpose !== "string" || !purposes.includes(purpose)
            ? invalid(`'${String(purpose)}' is not one of ${JSON.stringify(purposes)}`, "purpose", "invalid_value")
            : Either.right({ file, filename, purpose }),
        encode: ({ file, filename, purpose }, now) => {
          const id = `file-${sha256Hex(`file ${uploaded++}`).slice(0, 24)}`
          const created = Math.floor(now / 1000)
          const added = { id, filename, purpose, text: file, created }
          files.set(id, added)
          for (const oldest of files.keys()) {
            if (files.size <= capacity) break
            files.delete(oldest)
          }
          return encode(added)
        }
      }),
      endpoint(responses, {
        name,
        path: /\/files$/,
        method: "GET",
        decode: (_, { query }) => Either.right({ purpose: query.get("purpose") ?? undefined }),
        encode: ({ purpose }) => {
          const data = [...files.values()].filter((file) => purpose === undefined || file.purpose === purpose)
            .reverse().map(encode)
          return { object: "list", data, first_id: data[0]?.id, last_id: data.at(-1)?.id, has_more: false }
        }
      }),
      endpoint(responses, {
        name,
        path: one,
        method: "GET",
        decode: known(one),
        encode: ({ id }, now) => {
          const file = find(id, now)
          return file && encode(file)
        }
      }),
      endpoint(responses, {
        name,
        path: one,
        method: "DELETE",
        decode: known(one),
        encode: ({ id }) => ({ id, object: "file", deleted: files.delete(id) })
      }),
      endpoint(responses, {
        name,
        path: content,
        method: "GET",
        contentType: "application/octet-stream",
        decode: known(content),
        encode: ({ id }, now) => textOf(id, now)
      })
    ]
  }
}
