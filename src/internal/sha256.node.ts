import * as Crypto from "node:crypto"

/** SHA-256 of a string's UTF-8 bytes, as lower-case hex: the native one, where `node:crypto` exists. */
export const sha256Hex: (text: string) => string = typeof Crypto.hash === "function"
  // In one call: Node has it since 20.12.
  ? (text) => Crypto.hash("sha256", text, "hex")
  : (text) => Crypto.createHash("sha256").update(text, "utf8").digest("hex")
