/**
 * The server that all clients ask: a process of its own, on the loopback interface. It tells its port on the first line
 * of its output, and ends with its parent.
 */
import { createServer } from "node:http"
import { deltasOf, planOf } from "./prompts.mjs"
import { protocols } from "./protocols.mjs"

/** Requests that wait for others, by how many there must be. */
const waiting = new Map()

const together = (group, answer) => {
  if (group <= 1) return answer()
  const answers = waiting.get(group) ?? []
  answers.push(answer)
  if (answers.length < group) {
    waiting.set(group, answers)
    return
  }
  waiting.delete(group)
  for (const next of answers) next()
}

const cutInto = (bytes, size) =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))

/** Writes one piece after the other. A piece that waits for nothing still is a write, and so mostly a read, of its own. */
const writeEach = (response, pieces, gap) => {
  let next = 0
  const step = () => {
    if (response.destroyed) return
    response.write(pieces[next++])
    if (next === pieces.length) response.end()
    else if (gap === 0) setImmediate(step)
    else setTimeout(step, gap)
  }
  step()
}

const stream = (response, protocol, plan) => {
  response.writeHead(200, { "content-type": "text/event-stream", "x-request-id": `req_${plan.n}` })
  const events = protocol.events(plan.n, deltasOf(plan))
  if (plan.cut > 0) return writeEach(response, cutInto(Buffer.from(events.join("")), plan.cut), plan.gap)
  if (plan.gap > 0 || plan.each > 0) return writeEach(response, events, plan.gap)
  response.end(events.join(""))
}

const whole = (response, protocol, plan) => {
  const body = Buffer.from(JSON.stringify(protocol.whole(plan.n, deltasOf(plan))))
  response.writeHead(200, {
    "content-type": "application/json",
    "content-length": body.length,
    "x-request-id": `req_${plan.n}`
  })
  response.end(body)
}

const server = createServer({ keepAliveTimeout: 60_000, noDelay: true }, (request, response) => {
  const protocol = protocols[request.url]
  let received = ""
  request.setEncoding("utf8")
  request.on("data", (chunk) => {
    received += chunk
  })
  request.on("end", () => {
    if (protocol === undefined) {
      response.writeHead(404, { "content-type": "application/json" })
      response.end(`{"error":{"message":"no such path: ${request.url}"}}`)
      return
    }
    const body = JSON.parse(received)
    const plan = planOf(protocol.prompt(body))
    together(plan.group, () => (body.stream === true ? stream : whole)(response, protocol, plan))
  })
})

server.listen({ port: 0, host: "127.0.0.1", backlog: 16_384 }, () => process.stdout.write(`${server.address().port}\n`))

process.stdin.resume()
process.stdin.on("end", () => process.exit(0))
