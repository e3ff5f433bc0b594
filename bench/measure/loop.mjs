/** A function, so many times. */
export const plain = (f) => (count) => {
  for (let i = 0; i < count; i++) f(i)
}

/** So many runs one after the other in one fiber, of the Effect that has made the runtime. */
export const inFiber = (Effect, runtime, effect) => (count) =>
  runtime.runPromise(Effect.gen(function*() {
    for (let i = 0; i < count; i++) yield* effect(i)
  }))

/** So many runs one after the other, each in a fiber of its own behind a promise. */
export const asPromises = (runtime, effect) => async (count) => {
  for (let i = 0; i < count; i++) await runtime.runPromise(effect(i))
}

const cpuMicros = () => {
  const { system, user } = process.cpuUsage()
  return user + system
}

/**
 * Microseconds of CPU time (user and system, all threads, so garbage collection as well) that one run takes: the median
 * of batches of about 40 ms after a warm-up. `share` shortens it.
 */
export const measure = async (run, share) => {
  let count = 1
  let spent = 0
  const warm = cpuMicros() + 1_000_000 * share
  for (;;) {
    const before = cpuMicros()
    await run(count)
    spent = cpuMicros() - before
    if (spent < 20_000) count *= 2
    else if (cpuMicros() > warm) break
  }
  count = Math.max(1, Math.round((count * 40_000) / spent))
  const batches = []
  for (let i = 0; i < Math.max(3, Math.round(11 * share)); i++) {
    const before = cpuMicros()
    await run(count)
    batches.push((cpuMicros() - before) / count)
  }
  batches.sort((a, b) => a - b)
  return { cpu: batches[Math.floor(batches.length / 2)], least: batches[0], most: batches.at(-1), count }
}
