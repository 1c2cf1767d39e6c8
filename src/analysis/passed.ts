/** Statements that have passed the gate: asked again, they need not be parsed again. */
import type { SyntaxNode } from '../storage/parquet/statement.ts'
import type { Display } from './display.ts'

const STATEMENTS_MAX = 256
/** A long statement is seldom asked twice, and its tree is many times as large. */
const LENGTH_MAX = 16_384

/** Trees of the statements that passed before, by text. What may pass depends on the display, so each has its own. */
const passed = new WeakMap<Display, Map<string, SyntaxNode>>()

/** The tree of a statement: known, or from `check`, which throws if the statement may not pass. */
export async function passedTree(
  display: Display,
  sql: string,
  check: () => Promise<SyntaxNode>,
): Promise<SyntaxNode> {
  const known = passed.get(display) ?? new Map<string, SyntaxNode>()
  passed.set(display, known)
  const tree = known.get(sql) ?? (await check())
  if (sql.length > LENGTH_MAX) return tree
  // The one asked longest ago goes first.
  known.delete(sql)
  known.set(sql, tree)
  if (known.size > STATEMENTS_MAX) known.delete(known.keys().next().value!)
  return tree
}
