/** The sources beside the datacenter, by their paths: Tushare, Sina, Tencent, the exchanges themselves. */
import { sinaBars, sinaFactors, tencentBars } from './bars.ts'
import { shanghaiDelisted, shenzhenDelisted } from './delisted.ts'
import type { PlainAnswer } from './plain-answer.ts'
import type { World } from './reports.ts'
import type { TushareOptions, TushareState } from './tushare.ts'
import { tushareAnswer } from './tushare.ts'

/** What these sources remember and how they behave. */
export interface OtherSources {
  readonly tushare: TushareOptions
  readonly tushareState: TushareState
}

/** Answers a request; undefined for a path that none of these sources has. */
export function otherAnswer(
  world: World,
  url: URL,
  body: string,
  sources: OtherSources,
): PlainAnswer | undefined {
  const { pathname, searchParams } = url
  switch (pathname) {
    case '/':
      return body === ''
        ? undefined
        : tushareAnswer(world, body, sources.tushare, sources.tushareState)
    case '/quotes_service/api/json_v2.php/CN_MarketData.getKLineData':
      return sinaBars(world, searchParams)
    case '/appstock/app/fqkline/get':
      return tencentBars(world, searchParams)
    case '/commonQuery.do':
      return shanghaiDelisted(world)
    case '/api/report/ShowReport/data':
      return shenzhenDelisted(world, searchParams)
    default:
      return sinaFactors(world, pathname)
  }
}
