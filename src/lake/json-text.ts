/** What the text of a JSON value holds that readers change or cannot follow: deep nesting, and numbers they round. */

/** A look at one value. */
export interface JsonLook {
  /** How deep arrays and objects stand in each other. */
  readonly depth: number
  /** The first number by member of the value that a double does not hold as it is written. */
  readonly rounded: ReadonlyMap<string, string>
}

/** Looks at the text of a value, which must be JSON. */
export function lookAtJson(text: string): JsonLook {
  const rounded = new Map<string, string>()
  let [depth, deepest, member] = [0, 0, '']
  for (let i = 0; i < text.length;) {
    const character = text[i]!
    const end = tokenEnd(text, i)
    if (character === '{' || character === '[') deepest = Math.max(deepest, ++depth)
    else if (character === '}' || character === ']') depth--
    else if (character === '"' && depth === 1 && isName(text, end))
      member = JSON.parse(text.slice(i, end)) as string
    else if (isNumberStart(character)) {
      const number = text.slice(i, end)
      if (!rounded.has(member) && isRounded(number)) rounded.set(member, number)
    }
    i = end
  }
  return { depth: deepest, rounded }
}

const isNumberStart = (character: string): boolean =>
  character === '-' || (character >= '0' && character <= '9')

/** Where the text, number or sign ends that begins at a place. */
function tokenEnd(text: string, start: number): number {
  let end = start + 1
  if (text[start] === '"') {
    while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1
    return end + 1
  }
  if (isNumberStart(text[start]!)) while (/[\d.eE+-]/.test(text[end] ?? '')) end++
  return end
}

function isName(text: string, end: number): boolean {
  let i = end
  while (text[i] === ' ' || text[i] === '\t' || text[i] === '\n' || text[i] === '\r') i++
  return text[i] === ':'
}

/** True for a number beyond all doubles, and for a whole number whose digits a double changes. */
function isRounded(text: string): boolean {
  const value = Number(text)
  if (!Number.isFinite(value)) return /\d/.test(text)
  return /^-?\d+$/.test(text) && digits(text) !== digits(String(value))
}

/** The digits that count; what doubles print as 1e+21 has as many zeros as it needs. */
function digits(number: string): string {
  return number.replace(/e.*$/i, '').replaceAll(/[^\d]/g, '').replace(/0+$/, '')
}
