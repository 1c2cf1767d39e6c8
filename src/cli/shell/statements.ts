/** Splits what is typed into statements: a semicolon ends one, unless it stands in quotes or in a comment. */

/** Statements that are complete, and the rest that is not. */
export interface SplitText {
  readonly statements: readonly string[]
  readonly rest: string
}

/** Pieces in which a semicolon ends nothing; one that has no end yet reaches to the end of the text. */
const PIECES =
  /'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|\$(\w*)\$[\s\S]*?(?:\$\1\$|$)|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|;/g

/** Splits a text at the semicolons that end statements; statements of comments only are left out. */
export function splitStatements(text: string): SplitText {
  const statements: string[] = []
  let start = 0
  for (const piece of text.matchAll(PIECES)) {
    if (piece[0] !== ';') continue
    statements.push(text.slice(start, piece.index).trim())
    start = piece.index + 1
  }
  const rest = text.slice(start)
  return { statements: statements.filter(says), rest: says(rest) ? rest : '' }
}

/** True for a text that is more than blanks and comments. */
function says(text: string): boolean {
  return text.replaceAll(/--[^\n]*|\/\*[\s\S]*?\*\//g, '').trim() !== ''
}
