/** The entry in workerd: the options are the body of a request. */
import { check } from "./suite.js"

export default { fetch: async (request) => Response.json(await check(await request.json())) }
