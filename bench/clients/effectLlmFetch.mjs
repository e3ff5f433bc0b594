import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { openOn } from "./effectLlm.mjs"

export const open = (options) => openOn(FetchHttpClient.layer, options)
