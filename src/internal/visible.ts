/** Control characters (C0, DEL, C1), which begin terminal escapes, and the controls of bidirectional text. */

const hidden = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`

/**
 * Writes each control character as its escape in JSON (`\u001b`), so that text from outside can neither steer a terminal
 * nor change the order in which a line reads.
 */
export const visible = (text: string): string => text.replace(hidden, escaped)
