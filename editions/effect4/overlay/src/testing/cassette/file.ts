// In place of declarations: an error of the file system of Effect 4 has its kind in its reason.
import type * as PlatformError from "effect/PlatformError"

const isMissing = ({ reason }: PlatformError.PlatformError): boolean => reason._tag === "NotFound"
