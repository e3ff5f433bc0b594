/** The parts of a request that identify the client. */
export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: { readonly [name: string]: string | undefined }
}

/** The reason why a request is refused. */
export interface Refusal {
  readonly status: 403 | 405
  readonly message: string
}

/** Names that always mean this machine. */
const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i

/** The addresses that only this machine can reach. */
export const isLoopback = (address: string): boolean => loopback.test(address.includes(":") ? `[${address}]` : address)

/**
 * The reason why a request may not be answered. The page is for a person at this machine: a page of another origin must
 * neither read nor embed it. That includes a name that was made to point to this machine (DNS rebinding), which is
 * still in `Host`. A link from another page may open the page itself, which has no data in it.
 *
 * `Sec-Fetch-*`: https://www.w3.org/TR/fetch-metadata/
 */
export const refusal = ({ headers, method, path }: Asked): Refusal | undefined => {
  const { host = "", origin } = headers
  if (!loopback.test(host)) {
    return { status: 403, message: "Open this page as localhost, 127.0.0.1 or [::1]: other names are refused." }
  }
  const site = headers["sec-fetch-site"]
  const isLink = path === "/" && headers["sec-fetch-mode"] === "navigate" && headers["sec-fetch-dest"] === "document"
  const isOwn = (origin === undefined || origin.toLowerCase() === `http://${host.toLowerCase()}`) &&
    (site === undefined || site === "same-origin" || site === "none" || isLink)
  if (!isOwn) return { status: 403, message: "Only this page itself may ask for its data." }
  return method === "GET" || method === "HEAD"
    ? undefined
    : { status: 405, message: "This page is read-only: it takes GET and HEAD." }
}
