/**
 * @since 0.1.0
 */
export * as LlmTest from "./LlmTest.js"
export * as Simulator from "./Simulator.js"
