// In place of declarations: the metadata of Effect 4 is JSON.
import type { Json } from "effect/Schema"

declare module "effect/ai/Response" {
  interface FinishPartMetadata {
    /** What `LlmClient` answered, as JSON; `EffectAi.response` reads it: cost, origin, attempts, warnings and all parts. */
    readonly effectLlm?: Json
  }
}
