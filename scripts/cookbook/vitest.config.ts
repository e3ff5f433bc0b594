import { mergeConfig } from "vitest/config"
import base from "../../vitest.config.js"

// A spec of a page lies in a folder of its own.
export default { ...mergeConfig(base, {}), test: { include: ["*.test.ts"], reporters: ["verbose"] } }
