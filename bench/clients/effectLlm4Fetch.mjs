import * as edition from "../editions/effect4.mjs"
import { openOn } from "./effectLlm.mjs"

export const open = (options) => openOn(edition, edition.FetchHttpClient.layer, options)
