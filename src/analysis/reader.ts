/** What the tools of this folder need of an engine: its queries. */
import type { Parameters } from '../storage/parquet/bind.ts'
import type { ResultTable } from '../storage/parquet/database.ts'
import type { Row } from '../storage/parquet/values.ts'

/** Something that answers queries. */
export interface Reader {
  query<T extends Row = Row>(sql: string, parameters?: Parameters): Promise<T[]>
  table(sql: string, parameters?: Parameters): Promise<ResultTable>
}

/** Something that answers queries with the knowledge of a date. */
export interface DatedReader extends Reader {
  asOf(date: string): Promise<Reader & { close(): Promise<void> }>
}
