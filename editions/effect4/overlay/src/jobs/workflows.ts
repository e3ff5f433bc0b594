// In place of declarations: a chunk has no parent, as its end would call a workflow that may be on its way to another process.
import * as Context from "effect/Context"
import { WorkflowInstance } from "effect/workflow/WorkflowEngine"

/**
 * Waits until a chunk is answered: by this process or another, now or in an earlier run.
 *
 * For each child that ends, the engine of Effect 4.1 wakes its parent by a message, which waits for the parent's run and
 * cannot be interrupted. If the parent moves to another process meanwhile, it is tried again forever, and the parent
 * moves nowhere. Jobs need no wake-up: they wait for their chunks and are not suspended.
 */
const answered = (chunk: ChunkOfPass): Effect.Effect<void, never, WorkflowEngine.WorkflowEngine> =>
  Effect.updateContext(
    ChunkWorkflow.execute(chunk),
    (context: Context.Context<WorkflowEngine.WorkflowEngine>) => Context.omit(WorkflowInstance)(context)
  )
