/** The bytes of a text in UTF-8. */
export const utf8Length = (text: string): number => {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    // A pair of surrogates is four bytes: two each.
    if (code > 0x7F) bytes += code < 0x800 || (code >= 0xD800 && code <= 0xDFFF) ? 1 : 2
  }
  return bytes
}
