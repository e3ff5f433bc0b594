/**
 * The linter's rule for the house: a room uses only rooms below it, and some modules of Effect only behind a seam. It
 * resolves each relative import from the file that holds it, so that it sees the same room from any depth, also where
 * only types are imported.
 */
import { posix, relative, sep } from "node:path"

/** A path that ends with a slash names a folder and all that is in it. */
const covers = (pattern, path) => pattern.endsWith("/") ? path.startsWith(pattern) : path === pattern

/** The folder of a room's folder, or `""` for what the room's folders share. */
const folderOf = (room, path) => {
  const [folder, ...rest] = path.slice(room.length).split("/")
  return rest.length === 0 ? "" : `${folder}/`
}

const name = (path) => path.replace(/\/$/, "")

const importRule = {
  meta: {
    type: "problem",
    schema: [{
      type: "object",
      properties: {
        rooms: { type: "array", items: { type: "array", items: { type: "string" } } },
        strangers: { type: "object", additionalProperties: { type: "array", items: { type: "string" } } },
        folders: {
          type: "object",
          additionalProperties: {
            type: "object",
            additionalProperties: { type: "array", items: { type: "string" } }
          }
        },
        seams: { type: "object", additionalProperties: { type: "array", items: { type: "string" } } }
      },
      additionalProperties: false
    }],
    messages: {
      above: "{{file}} is below {{target}}: a room uses only rooms below it.",
      folder: "{{file}} does not use {{target}}: the folders of a room stand beside each other.",
      nowhere: "{{target}} is in no room: give it a place in eslint.config.mjs.",
      outside: "The sources use nothing of the repository but themselves.",
      seam: "{{module}} is kept behind a seam: only {{places}} may use it.",
      self: "Import a module of this library by its relative path.",
      stranger: "{{file}} does not use {{target}}."
    }
  },
  create(context) {
    const { folders = {}, rooms, seams = {}, strangers = {} } = context.options[0]
    const path = relative(context.cwd, context.filename).split(sep).join("/")
    const file = path.replace(/^src\//, "")
    const floorOf = (path) => rooms.findIndex((room) => room.some((pattern) => covers(pattern, path)))
    const roomOf = (path) => rooms.flat().find((pattern) => covers(pattern, path))
    const floor = floorOf(file)

    const problemOf = (target) => {
      const room = roomOf(target)
      if (room === undefined) return { messageId: "nowhere", data: { target } }
      const own = roomOf(file)
      if (floorOf(target) > floor) return { messageId: "above", data: { file: name(own), target: name(room) } }
      if ((strangers[own] ?? []).includes(room)) {
        return { messageId: "stranger", data: { file: name(own), target: name(room) } }
      }
      if (own !== room || !(room in folders)) return undefined
      const [from, to] = [folderOf(room, file), folderOf(room, target)]
      if (to === "" || from === to) return undefined
      const allowed = folders[room][from] ?? []
      if (allowed.some((pattern) => covers(pattern, target.slice(room.length)))) return undefined
      return { messageId: "folder", data: { file: name(room + from), target } }
    }

    const check = (source) => {
      if (typeof source?.value !== "string") return
      const specifier = source.value
      const places = seams[specifier]
      if (places !== undefined && !places.some((pattern) => covers(pattern, file))) {
        const data = { module: specifier, places: places.map(name).join(", ") }
        return context.report({ node: source, messageId: "seam", data })
      }
      if (/^effect-llm(\/|$)/.test(specifier)) return context.report({ node: source, messageId: "self" })
      if (!/^\.{1,2}(\/|$)/.test(specifier)) return
      const target = posix.join(posix.dirname(path), specifier).replace(/\.js$/, ".ts")
      if (!target.startsWith("src/")) return context.report({ node: source, messageId: "outside" })
      const problem = problemOf(target.slice("src/".length))
      if (problem !== undefined) context.report({ node: source, ...problem })
    }

    return {
      Program: (node) => {
        if (floor < 0) {
          context.report({ node, loc: { line: 1, column: 0 }, messageId: "nowhere", data: { target: file } })
        }
      },
      ImportDeclaration: ({ source }) => check(source),
      ExportAllDeclaration: ({ source }) => check(source),
      ExportNamedDeclaration: ({ source }) => check(source),
      ImportExpression: ({ source }) => check(source),
      TSImportType: ({ source }) => check(source),
      TSExternalModuleReference: ({ expression }) => check(expression)
    }
  }
}

export default { rules: { imports: importRule } }
