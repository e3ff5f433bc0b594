import type * as HttpClientError from "@effect/platform/HttpClientError"

/** Where a request of an `HttpClient` failed, and how: `ResponseError: Decode`. */
export const kindOf = ({ _tag, reason }: HttpClientError.HttpClientError): string => `${_tag}: ${reason}`
