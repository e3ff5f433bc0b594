import { createServer } from "node:net"

/** Whether a port of the loopback interface can be listened on now. */
const isFree = async (port: number): Promise<boolean> => {
  const server = createServer()
  const isListening = await new Promise<boolean>((resume) => {
    server.once("error", () => resume(false)).listen(port, "127.0.0.1", () => resume(true))
  })
  if (isListening) await new Promise((resume) => server.close(resume))
  return isListening
}

/**
 * A port of the loopback interface for a program that takes a number. It is none of those that the system gives to
 * connections and to servers without a number: those of other tests, which would take it while its program is away.
 */
export const freePort = async (): Promise<number> => {
  const port = 10_000 + Math.floor(Math.random() * 20_000)
  return await isFree(port) ? port : freePort()
}
