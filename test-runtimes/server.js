/** The entry on runtimes that run files: Node, Bun and Deno. Its first argument has the options as JSON. */
import { check } from "./suite.js"

const { withUndici, ...options } = JSON.parse(process.argv[2])
const undici = withUndici ? (await import("effect-llm/UndiciTransport")).layer() : undefined
console.log(JSON.stringify(await check({ ...options, undici })))
