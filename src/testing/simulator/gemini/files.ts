import { sha256Hex } from "#sha256"
import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import { utf8Length } from "../../../internal/utf8Length.js"
import { endpoint, idIn } from "../batches/endpoint.js"
import { maxBytes } from "../openai/files.js"
import type { Envelope, Invalid, Json, Protocol } from "../protocol.js"
import { invalid } from "../protocol.js"
import { gemini } from "./generateContent.js"
import { isGoogles } from "./service.js"

/** A file of the service. */
interface File {
  readonly id: string
  readonly displayName: string
  readonly text: string
  /** Milliseconds since 1970. */
  readonly created: number
  /** The address of the upload, without its query. */
  readonly address: string
}

/** The files that were uploaded. */
export interface Files {
  readonly protocols: ReadonlyArray<Protocol>
  /** The text of a file by its name, `files/abc`. */
  readonly textOf: (name: string) => string | undefined
  readonly clear: () => void
}

const day = 24 * 60 * 60 * 1000

/** The most files that are kept. The oldest are dropped. */
const capacity = 1_000

const notFound = (id: string): Invalid => ({
  _tag: "Invalid",
  message: `You do not have permission to access the File ${id} or it may not exist.`,
  status: 403
})

const encode = ({ address, created, displayName, id, text }: File): Json => ({
  name: `files/${id}`,
  displayName,
  mimeType: "application/jsonl",
  sizeBytes: String(utf8Length(text)),
  createTime: new Date(created).toISOString(),
  updateTime: new Date(created).toISOString(),
  expirationTime: new Date(created + 2 * day).toISOString(),
  uri: `${address.replace("/upload/", "/")}/${id}`,
  state: "ACTIVE",
  source: "UPLOADED"
})

/** Gemini's Files, as far as batches need them. `made` gives the text of files that the service has made. */
export const makeFiles = (made: (id: string, now: number) => string | undefined): Files => {
  const files = new Map<string, File>()
  const uploads = new Map<string, File>()
  let begun = 0

  const known = (pattern: RegExp) => (_: Json, envelope: Envelope): Either.Either<{ readonly id: string }, Invalid> => {
    const id = idIn(pattern, envelope)
    return files.has(id) || made(id, Infinity) !== undefined ? Either.right({ id }) : Either.left(notFound(id))
  }

  const name = "gemini-files" as const
  const uploading = /\/upload\/v1(?:beta)?\/files$/
  const one = /\/v1(?:beta)?\/files\/([^/:]+)$/
  const download = /\/v1(?:beta)?\/files\/([^/:]+):download$/
  const commandOf = ({ headers }: Envelope): string => headers["x-goog-upload-command"] ?? ""
  const addressOf = ({ address, id }: Pick<File, "address" | "id">): string =>
    `${address}?upload_id=${id}&upload_protocol=resumable`

  return {
    textOf: (name) => files.get(name.replace(/^files\//, ""))?.text,
    clear: () => {
      files.clear()
      uploads.clear()
    },
    protocols: [
      endpoint(gemini, {
        name,
        path: uploading,
        serves: (envelope) => commandOf(envelope) === "start",
        decode: ({ file }, { headers, path }) => {
          const { displayName, display_name: other } = isRecord(file) ? file : {}
          return headers["x-goog-upload-protocol"] === "resumable"
            ? Either.right({
              id: sha256Hex(`upload ${begun++}`).slice(0, 12),
              displayName: String(displayName ?? other ?? ""),
              address: `http://${headers.host}${path}`
            })
            : invalid("The simulator takes resumable uploads only")
        },
        encode: (upload, created) => {
          uploads.set(upload.id, { ...upload, created, text: "" })
          return {}
        },
        answerHeaders: (upload) => ({ "x-goog-upload-url": addressOf(upload), "x-goog-upload-status": "active" })
      }),
      endpoint(gemini, {
        name,
        path: uploading,
        maxBodyBytes: maxBytes,
        parse: (text) => Either.right({ text }),
        decode: ({ text }, envelope) => {
          const upload = uploads.get(envelope.query.get("upload_id") ?? "")
          return upload === undefined
            ? invalid("Upload has already been terminated.")
            : Either.right({ upload, text: String(text), isLast: commandOf(envelope).includes("finalize") })
        },
        encode: ({ isLast, text, upload }) => {
          const file = { ...upload, text: upload.text + text }
          uploads.set(upload.id, file)
          if (!isLast) return {}
          uploads.delete(upload.id)
          files.set(file.id, file)
          for (const oldest of files.keys()) {
            if (files.size <= capacity) break
            files.delete(oldest)
          }
          return { file: encode(file) }
        },
        answerHeaders: ({ isLast }) => ({ "x-goog-upload-status": isLast ? "final" : "active" })
      }),
      endpoint(gemini, {
        name,
        path: one,
        method: "GET",
        serves: isGoogles,
        decode: known(one),
        encode: ({ id }) => {
          const file = files.get(id)
          return file === undefined ? { name: `files/${id}`, state: "ACTIVE", source: "GENERATED" } : encode(file)
        }
      }),
      endpoint(gemini, {
        name,
        path: one,
        method: "DELETE",
        serves: isGoogles,
        decode: known(one),
        encode: ({ id }) => {
          files.delete(id)
          return {}
        }
      }),
      endpoint(gemini, {
        name,
        path: download,
        method: "GET",
        serves: isGoogles,
        contentType: "application/octet-stream",
        decode: known(download),
        encode: ({ id }, now) => files.get(id)?.text ?? made(id, now) ?? ""
      })
    ]
  }
}
