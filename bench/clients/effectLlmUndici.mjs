import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as edition from "../editions/effect3.mjs"
import { openOn } from "./effectLlm.mjs"

export const open = (options) => openOn(edition, NodeHttpClient.layerUndici, options)
