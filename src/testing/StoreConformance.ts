export { rateLimits } from "./storeConformance/rateLimits.js"
export type { Harness, Server, StoreCheck } from "./storeConformance/check.js"
