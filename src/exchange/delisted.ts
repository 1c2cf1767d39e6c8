/** The exchanges' own lists of what was delisted: Shanghai's in one piece, Shenzhen's in pages. */
import type { Company } from './market.ts'
import type { PlainAnswer } from './plain-answer.ts'
import { jsonAnswer } from './plain-answer.ts'
import type { World } from './reports.ts'

const PAGE_ROWS = 20

function gone(world: World, exchange: string): Company[] {
  return world.market.companies.filter(
    (c) => c.symbol.endsWith(exchange) && c.delistDate !== '' && c.delistDate <= world.today,
  )
}

/** Shanghai's list. */
export function shanghaiDelisted(world: World): PlainAnswer {
  const result = gone(world, 'SH').map((company) => ({
    COMPANY_CODE: company.code,
    COMPANY_ABBR: company.name,
    LIST_DATE: company.listDate.replaceAll('-', ''),
    DELIST_DATE: company.delistDate.replaceAll('-', ''),
  }))
  return jsonAnswer({ result, pageHelp: { total: result.length, pageCount: 1, pageNo: 1 } })
}

/** A page of Shenzhen's list. */
export function shenzhenDelisted(world: World, query: URLSearchParams): PlainAnswer {
  const rows = gone(world, 'SZ')
  const page = Number(query.get('PAGENO') ?? 1)
  const pages = Math.ceil(rows.length / PAGE_ROWS)
  const data = rows.slice((page - 1) * PAGE_ROWS, page * PAGE_ROWS).map((company) => ({
    zqdm: company.code,
    zqjc: company.name,
    ssrq: company.listDate,
    zzrq: company.delistDate,
  }))
  const metadata = { tabkey: 'tab2', pageno: page, pagecount: pages, recordcount: rows.length }
  return jsonAnswer([
    { metadata: { tabkey: 'tab1', pageno: 1, pagecount: 0, recordcount: 0 }, data: [] },
    { metadata, data, error: null },
  ])
}
