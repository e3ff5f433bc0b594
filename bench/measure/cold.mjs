/**
 * Measures how long it takes to import a client and to construct it, in a process that has done nothing else.
 *
 *   node measure/cold.mjs <client> <baseUrl>
 */
const [name, baseUrl] = process.argv.slice(2)

const wall = performance.now()
const cpu = process.cpuUsage()
const { open } = await import(`../clients/${name}.mjs`)
await open({ baseUrl })
const milliseconds = performance.now() - wall
const { system, user } = process.cpuUsage(cpu)

process.stdout.write(
  `\n${JSON.stringify({ figures: { cold: { wall: milliseconds, cpu: (user + system) / 1000 } } })}\n`
)
process.exit(0)
