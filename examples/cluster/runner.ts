/** A process of the cluster: it answers the requests of jobs until it is stopped. */
import { FetchHttpClient } from "@effect/platform"
import { NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Layer, Logger, LogLevel, Redacted } from "effect"
import { LlmCache, LlmClient, LlmLogger, OpenAiChat } from "effect-llm"
import * as LlmBatch from "effect-llm/LlmBatch"

const [, , service = "", databaseUrl = "", port = ""] = process.argv

const Client = LlmClient.layer().pipe(
  Layer.provide(OpenAiChat.layer({ apiKey: Redacted.make("sk-none"), baseUrl: `${service}/v1` })),
  Layer.provide([FetchHttpClient.layer, LlmCache.layerNone, LlmLogger.layerSilent])
)

const Runner = LlmBatch.layerCluster({ host: "127.0.0.1", port: Number(port), concurrency: 8 }).pipe(
  Layer.provide(PgClient.layer({ url: Redacted.make(databaseUrl), maxConnections: 5 })),
  Layer.provide(Client)
)

NodeRuntime.runMain(Layer.launch(Runner).pipe(Logger.withMinimumLogLevel(LogLevel.Error)))
