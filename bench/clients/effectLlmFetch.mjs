import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as edition from "../editions/effect3.mjs"
import { openOn } from "./effectLlm.mjs"

export const open = (options) => openOn(edition, FetchHttpClient.layer, options)
