import * as UndiciTransport from "../../dist/UndiciTransport.js"
import { openOn } from "./effectLlm.mjs"

export const open = (options) => openOn(UndiciTransport.layer(), options)
