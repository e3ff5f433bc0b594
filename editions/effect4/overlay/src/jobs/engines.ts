// In place of declarations: Effect 4 loses all locks of a process where a lock operation takes longer than it is refreshed.

/**
 * With these settings the work of a killed process is taken over within some seconds, on a machine that is not overloaded:
 * Postgres frees its locks as its connection ends, and the others check the members every two seconds, and the free shards
 * and the messages once a second each. With the cluster's own defaults it would take up to a minute. A lock operation may
 * take 5 seconds: one that takes longer costs a living process all its locks, and thus its requests under way.
 */
const takeOverSoon: Partial<ShardingConfig.ShardingConfig["Service"]> = {
  entityMessagePollInterval: Duration.seconds(1),
  refreshAssignmentsInterval: Duration.seconds(1),
  runnerHealthCheckInterval: Duration.seconds(2),
  shardLockRefreshInterval: Duration.seconds(5),
  shardLockExpiration: Duration.seconds(15)
}
