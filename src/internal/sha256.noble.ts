import { sha256 } from "@noble/hashes/sha2"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils"

/** SHA-256 of a string's UTF-8 bytes, as lower-case hex: the portable one, for browsers and workers. */
export const sha256Hex = (text: string): string => bytesToHex(sha256(utf8ToBytes(text)))
