import { createHash } from "node:crypto"

/** SHA-256 of a string's UTF-8 bytes, as lower-case hex: the native one, where `node:crypto` exists. */
export const sha256Hex = (text: string): string => createHash("sha256").update(text, "utf8").digest("hex")
