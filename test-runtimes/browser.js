/** The entry in a browser. */
import { check } from "./suite.js"

globalThis.check = check
