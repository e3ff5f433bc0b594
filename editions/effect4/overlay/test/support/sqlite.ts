// In place of the file: the driver is the library's own.
export { layer as sqliteDatabase } from "../../src/jobs/sqlite.js"
