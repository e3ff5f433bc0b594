/** For a program of the cookbook, before it starts: `fetch` takes requests to OpenAI and Anthropic to the simulator. */
const { SIMULATOR } = process.env
const services = { "api.openai.com": `${SIMULATOR}/v1`, "api.anthropic.com": `${SIMULATOR}/v1` }

const network = globalThis.fetch
globalThis.fetch = (input, init) => {
  const { hostname, pathname, search } = new URL(input instanceof Request ? input.url : input)
  const service = services[hostname]
  return network(service === undefined ? input : service + pathname.replace(/^\/v1/, "") + search, init)
}
