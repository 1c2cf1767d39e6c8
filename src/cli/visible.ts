/** Text that a terminal shows and does not obey: no colours, no moves, no titles from cells and names. */

/** Control characters besides line end and tab, and those that turn the direction of what follows. */
// eslint-disable-next-line no-control-regex
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g

/** The text with a symbol for each character that a terminal would obey. */
export function visible(text: string): string {
  return text.replaceAll(OBEYED, symbol)
}

/** Unicode has pictures of the old control characters. */
function symbol(character: string): string {
  const code = character.codePointAt(0)!
  if (code < 0x20) return String.fromCodePoint(0x2400 + code)
  return code === 0x7f ? '␡' : '\ufffd'
}
