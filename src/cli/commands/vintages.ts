/** `vintages`: the versions of one report. */
import type { ReportChange, ReportVintage } from '../../analysis/vintages.ts'
import { jsonOf } from '../../storage/parquet/values.ts'
import type { CliContext } from '../context.ts'
import { say, writeData, writeDocument } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import { cellText, tableText } from '../format.ts'
import { withLake } from './catalog.ts'

/** Changes that fit into a line for people. */
const CHANGES_MAX = 4

/** Shows every version of a report. */
export async function vintages(
  context: CliContext,
  symbol: string,
  period: string,
  options: { at?: string },
): Promise<number> {
  return withLake(context, async (lake) => {
    const engine = await lake.analysis(options.at === undefined ? {} : { at: options.at })
    try {
      const found = await engine.vintages(symbol, period)
      if (context.json) await writeDocument(found.map(documentOf))
      else if (found.length > 0) await writeData(text(found))
      if (found.length === 0) say(context, `no report of ${symbol} for ${period}`)
      return EXIT.ok
    } finally {
      await engine.close()
    }
  })
}

function documentOf(vintage: ReportVintage): unknown {
  const changes = vintage.changes.map(({ column, before, after }) => ({
    column,
    before: jsonOf(before),
    after: jsonOf(after),
  }))
  return { ...vintage, changes }
}

const COLUMNS = ['table', 'source', 'vintage', 'notice', 'visible', 'known at', 'origin', 'latest']

function text(found: readonly ReportVintage[]): string {
  const columns = [...COLUMNS, 'changed'].map((name) => ({
    name,
    type: name === 'vintage' ? 'INTEGER' : 'VARCHAR',
  }))
  const rows = found.map((v) => [
    v.table,
    v.source,
    v.vintage,
    v.noticeDate ?? '-',
    v.visibleDate ?? 'never',
    v.knownAt.slice(0, 16).replace('T', ' '),
    v.origin,
    v.isLatest ? 'yes' : '',
    v.vintage === 1 ? 'first version' : changesText(v.changes),
  ])
  return tableText({ columns, rows })
}

function changesText(changes: readonly ReportChange[]): string {
  const shown = changes
    .slice(0, CHANGES_MAX)
    .map((c) => `${c.column} ${cellText(c.before) || 'NULL'} → ${cellText(c.after) || 'NULL'}`)
  const more = changes.length - shown.length
  return [...shown, ...(more > 0 ? [`${String(more)} more`] : [])].join(', ')
}
