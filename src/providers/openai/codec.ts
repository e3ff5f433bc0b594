import * as Sse from "../../wire/sse.js"
import type { Codec } from "../codec.js"
import { decode, makeDecoder } from "./answer.js"
import { bestOutputMode } from "./models.js"
import { encode, type Service } from "./request.js"

/** Responses, as this service speaks it. */
export const make = (service: Service): Codec => ({
  schemaDialect: "openai",
  outputMode: bestOutputMode,
  path: () => "/responses",
  encode: (request, streaming) => encode(request, service, streaming),
  decode: (body, facts) => decode(body, service.name, facts),
  framer: Sse.make,
  decoder: (facts) => makeDecoder(service.name, facts)
})
