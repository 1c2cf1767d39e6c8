/** Width of text in terminal cells: Chinese characters take two. */

/** Ranges of wide characters (Unicode's East Asian Width W and F, as terminals draw them). */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1faff],
  [0x20000, 0x3fffd],
]

/** Cells that a text takes. */
export function textWidth(text: string): number {
  let width = 0
  for (const character of text) width += characterWidth(character.codePointAt(0)!)
  return width
}

function characterWidth(code: number): number {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return 0
  // Before the first sign that stands over others.
  if (code < 0x300) return 1
  if (/\p{Mn}/u.test(String.fromCodePoint(code)) || code === 0x200b || code === 0x200d) return 0
  return WIDE.some(([from, to]) => code >= from && code <= to) ? 2 : 1
}

/** A text filled up to a width; numbers go to the right. */
export function padded(text: string, width: number, right = false): string {
  const fill = ' '.repeat(Math.max(0, width - textWidth(text)))
  return right ? fill + text : text + fill
}

/** A text cut to a width, with an ellipsis where something is missing. */
export function clipped(text: string, width: number): string {
  if (textWidth(text) <= width) return text
  let kept = ''
  let used = 0
  for (const character of text) {
    const cells = characterWidth(character.codePointAt(0)!)
    if (used + cells > width - 1) break
    kept += character
    used += cells
  }
  return `${kept}…`
}
