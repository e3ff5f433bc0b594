import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as WorkflowEngine from "@effect/workflow/WorkflowEngine"
import * as Effect from "effect/Effect"
import * as Schemas from "./schemas.js"
import * as Jobs from "./service.js"
import * as Store from "./store.js"

/** The operations on jobs that other processes run. */
export type Reader = Pick<Jobs.Service, "progress" | "list" | "results" | "cancel">

/** Makes a reader. The engine is never asked for anything. */
export const make: Effect.Effect<Reader, SqlError, SqlClient.SqlClient> = Effect.flatMap(
  Store.make(undefined),
  (store) => Effect.provide(Jobs.make(store, Schemas.make()), WorkflowEngine.layerMemory)
)
