/** Results that notebooks for TypeScript (Deno's kernel) show as tables. */
import type { Value } from '../storage/parquet/values.ts'
import { jsonOf } from '../storage/parquet/values.ts'

const DISPLAY = Symbol.for('Jupyter.display')
const ROWS_MAX = 100

interface Grid {
  readonly columns: readonly { readonly name: string }[]
  readonly rows: readonly (readonly Value[])[]
}

/** Gives a result the method by which notebooks ask for its form; it does not show in loops or comparisons. */
export function displayable<T extends object>(result: T, grid: Grid): T {
  const show = (): Record<string, string> => ({
    'text/plain': `${String(grid.rows.length)} rows`,
    'text/html': htmlTable(grid),
  })
  return Object.defineProperty(result, DISPLAY, { value: show, enumerable: false })
}

function htmlTable({ columns, rows }: Grid): string {
  const row = (tag: string, cells: readonly string[]): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`
  const head = row(
    'th',
    columns.map((column) => column.name),
  )
  const body = rows.slice(0, ROWS_MAX).map((values) => row('td', values.map(cellText)))
  const more = rows.length > ROWS_MAX ? `<p>${String(rows.length - ROWS_MAX)} more rows</p>` : ''
  return `<table><thead>${head}</thead><tbody>${body.join('')}</tbody></table>${more}`
}

function cellText(value: Value): string {
  const json = jsonOf(value)
  if (json === null) return ''
  return typeof json === 'object' ? JSON.stringify(json) : String(json)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
