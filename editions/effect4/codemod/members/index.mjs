import { ai } from "./ai.mjs"
import { data } from "./data.mjs"
import { effects } from "./effect.mjs"
import { fibers } from "./fiber.mjs"
import { platform } from "./platform.mjs"
import { schemas } from "./schema.mjs"
import { services } from "./service.mjs"
import { streams } from "./stream.mjs"

/**
 * The members of modules of Effect 3 that have another name or another form in Effect 4. A text is a new name, with
 * `module#name` where the module is another one; a function writes the new text of a call.
 */
export const members = {
  ...data,
  ...effects,
  ...fibers,
  ...streams,
  ...services,
  ...schemas,
  ...platform,
  ...ai
}
