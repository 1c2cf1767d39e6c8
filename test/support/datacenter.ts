/** EastMoney's datacenter in a function: rows by report, one page each. */
import type { SourceRow } from '../../src/ingestion/datacenter.ts'
import type { Asked, Reply } from './source.ts'

/** Rows by the name of their report. */
export type Reports = Readonly<Record<string, readonly SourceRow[]>>

/** Answers every request with all rows of its report. */
export function served(reports: Reports): (one: Asked) => Reply {
  return ({ query }) => {
    const data = reports[query.get('reportName')!] ?? []
    const body =
      data.length === 0
        ? { result: null, success: false, message: '返回数据为空', code: 9201 }
        : { result: { pages: 1, data, count: data.length }, success: true, code: 0 }
    return { body: JSON.stringify(body) }
  }
}
