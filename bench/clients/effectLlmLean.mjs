import * as UndiciTransport from "../../dist/UndiciTransport.js"
import * as edition from "../editions/effect3.mjs"
import { openOn } from "./effectLlm.mjs"

export const open = (options) => openOn(edition, UndiciTransport.layer(), options)
