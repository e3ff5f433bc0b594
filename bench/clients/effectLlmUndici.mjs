import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { openOn } from "./effectLlm.mjs"

export const open = (options) => openOn(NodeHttpClient.layerUndici, options)
