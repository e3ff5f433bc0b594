// In place of declarations: an error of the `HttpClient` of Effect 4 has its kind in its reason.

export const kindOf = ({ reason }: HttpClientError.HttpClientError): string =>
  `${"response" in reason ? "ResponseError" : "RequestError"}: ${reason._tag.replace(/Error$/, "")}`
