/**
 * The test kit: its modules in one import.
 *
 * @since 0.1.0
 */
export * as Cassette from "./Cassette.js"
export * as Conformance from "./Conformance.js"
export * as Faults from "./Faults.js"
export * as LlmTest from "./LlmTest.js"
export * as Simulator from "./Simulator.js"
export * as StoreConformance from "./StoreConformance.js"
