import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"

/** A process of a test that gets its work and reports by messages. */
export interface Worker<Report> {
  readonly child: ChildProcess
  /** The next report; `undefined` once the process is gone. */
  readonly next: () => Promise<Report | undefined>
  /** Kills it, and waits until it is gone. */
  readonly kill: (signal: NodeJS.Signals) => Promise<void>
}

/** Starts a process from a TypeScript file. */
export const startWorker = <Report>(file: string): Worker<Report> => {
  const child = fork(file, { execArgv: ["--import", "tsx"], stdio: ["ignore", "ignore", "inherit", "ipc"] })
  const reports: Array<Report | undefined> = []
  const waiting: Array<(report: Report | undefined) => void> = []
  const push = (report: Report | undefined) => {
    const wake = waiting.shift()
    if (wake === undefined) reports.push(report)
    else wake(report)
  }
  child.on("message", (report: Report) => push(report))
  const gone = once(child, "exit").then(() => push(undefined))
  return {
    child,
    next: () => reports.length > 0 ? Promise.resolve(reports.shift()) : new Promise((resume) => waiting.push(resume)),
    kill: async (signal) => {
      child.kill(signal)
      await gone
    }
  }
}
