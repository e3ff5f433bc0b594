import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Clock from "effect/Clock"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Deferred from "effect/Deferred"
import * as Fiber from "effect/Fiber"
const cpu = () => { const { user, system } = process.cpuUsage(); return user + system }
const measure = async (name, effect, n = 50000, reps = 5) => {
  const loop = Effect.gen(function*() { for (let i = 0; i < n; i++) yield* effect(i) })
  const out = await Effect.runPromise(Effect.gen(function*() { const out = []; yield* loop; for (let r = 0; r < reps; r++) { const a = cpu(); yield* loop; out.push((cpu() - a) / n) } return out }))
  out.sort((a, b) => a - b)
  console.log(name.padEnd(44), "min", out[0].toFixed(2), "median", out[out.length >> 1].toFixed(2), "us")
}
const flags = Runtime.defaultRuntimeFlags
const start = (effect, parent) => Runtime.runFork(Runtime.make({ context: parent.currentContext, runtimeFlags: flags, fiberRefs: parent.getFiberRefs() }))(effect)
const start2 = (effect, parent) => Runtime.runFork(Runtime.make({ context: parent.currentContext, runtimeFlags: flags, fiberRefs: parent._fiberRefs }))(effect)
const eager = (effect) => Effect.withFiberRuntime((parent) => start(effect, parent).unsafePoll())
const eager2 = (effect) => Effect.withFiberRuntime((parent) => start2(effect, parent).unsafePoll())
// async work: an immediate-resolved callback through queueMicrotask
const work = Effect.async((resume) => { queueMicrotask(() => resume(Effect.succeed(1))) })
const timed = (effect, ms, onTimeout) => Effect.withFiberRuntime((parent) => {
  const child = start(effect, parent)
  const exit = child.unsafePoll()
  if (exit !== null) return exit
  return Effect.async((resume) => {
    const sleeper = start(Effect.sleep(ms), parent)
    child.addObserver((exit) => { sleeper.unsafeInterruptAsFork(parent.id()); resume(exit) })
    sleeper.addObserver((exit) => { if (Exit.isSuccess(exit)) resume(Effect.zipRight(Fiber.interrupt(child), Effect.failSync(onTimeout))) })
    return Effect.zipRight(Fiber.interrupt(sleeper), Fiber.interrupt(child))
  })
})
const timedRaw = (effect, ms, onTimeout) => Effect.withFiberRuntime((parent) => {
  const child = start(effect, parent)
  const exit = child.unsafePoll()
  if (exit !== null) return exit
  return Effect.async((resume) => {
    const t = setTimeout(() => resume(Effect.zipRight(Fiber.interrupt(child), Effect.failSync(onTimeout))), ms)
    child.addObserver((exit) => { clearTimeout(t); resume(exit) })
    return Effect.zipRight(Effect.sync(() => clearTimeout(t)), Fiber.interrupt(child))
  })
})
const ok = Effect.succeed(1)
await measure("succeed", () => ok)
await measure("eager sync", () => eager(ok))
await measure("eager2 sync (raw refs)", () => eager2(ok))
await measure("fork+join", () => Effect.flatMap(Effect.fork(ok), Fiber.join))
await measure("timeout sync", () => Effect.timeoutFail(ok, { duration: 30000, onTimeout: () => 1 }))
await measure("async work", () => work)
await measure("async work timeoutFail", () => Effect.timeoutFail(work, { duration: 30000, onTimeout: () => 1 }))
await measure("async work eager+sleeper", () => timed(work, 30000, () => 1))
await measure("async work eager+setTimeout", () => timedRaw(work, 30000, () => 1))
await measure("async work eager then timeoutFail(join)", () => Effect.withFiberRuntime((parent) => { const c = start(work, parent); return c.unsafePoll() ?? Effect.timeoutFail(Fiber.join(c), { duration: 30000, onTimeout: () => 1 }) }))
await measure("retry sync", () => Effect.retry(ok, Schedule.recurs(2)))
