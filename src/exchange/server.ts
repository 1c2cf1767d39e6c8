/** The simulated exchange: an HTTP server on loopback that answers like the real sources. */
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { shanghaiDate } from '../model/date.ts'
import { LakeError } from '../model/errors.ts'
import { answer, busyAnswer, emptyAnswer } from './datacenter.ts'
import type { RowCache } from './datacenter.ts'
import { simulatedMarket } from './market.ts'
import type { Market } from './market.ts'
import { otherAnswer } from './other-sources.ts'
import { QUIRKS, USUAL_QUIRKS, answerWithFault, drawFaults } from './quirks.ts'
import type { Faults, Quirk } from './quirks.ts'
import type { TushareOptions } from './tushare.ts'
import type { World } from './reports.ts'

/** What the exchange is. */
export interface ExchangeOptions {
  readonly seed?: number
  /** Listed companies, about 5,400 in the real market. */
  readonly symbols?: number
  /** A market to serve in place of the simulated one. */
  readonly market?: Market
  /** 0: a free port. */
  readonly port?: number
  /** The present day, `YYYY-MM-DD`; it can be moved. */
  readonly today?: string
  /** What is odd about it (see `quirks.ts`); by default what every answer of the real one shows. */
  readonly quirks?: readonly Quirk[]
  /** The share of requests that meet a fault, if faults are among the quirks; 0.01 by default. */
  readonly faultShare?: number
  /** How the simulated Tushare behaves. */
  readonly tushare?: TushareOptions
  /** Answers a request in place of the exchange when it returns true: for faults in tests. */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse, url: URL) => boolean
}

/** A running exchange. It must be closed. */
export interface Exchange {
  /** Scheme, host and port, for `base_url`. */
  readonly url: string
  readonly requests: () => number
  readonly world: () => World
  /** Moves the present day. */
  setToday(today: string): void
  close(): Promise<void>
}

const DEFAULT_SEED = 20_260_930
const DEFAULT_SYMBOLS = 5400
const FAULT_SHARE = 0.01

/** Starts an exchange on loopback. */
export async function startExchange(options: ExchangeOptions = {}): Promise<Exchange> {
  const seed = options.seed ?? DEFAULT_SEED
  let world: World = {
    seed,
    market: options.market ?? simulatedMarket(seed, options.symbols ?? DEFAULT_SYMBOLS),
    today: options.today ?? shanghaiDate(Date.now()),
    quirks: checkedQuirks(options.quirks ?? USUAL_QUIRKS),
  }
  const faults = drawFaults(world.quirks, seed, options.faultShare ?? FAULT_SHARE)
  const cache: RowCache = new Map()
  const others = { tushare: options.tushare ?? {}, tushareState: { times: [] } }
  let requests = 0
  const server = createServer((request, response) => {
    requests++
    const url = new URL(request.url ?? '/', 'http://localhost')
    if (options.intercept?.(request, response, url)) return
    void bodyOf(request).then((body) => {
      const other = otherAnswer(world, url, body, others)
      if (!other) return respond(world, cache, url, response, faults)
      response.writeHead(other.status, { 'content-type': other.type })
      return void response.end(other.body)
    })
  })
  await listen(server, options.port ?? 0)
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    requests: () => requests,
    world: () => world,
    setToday: (today) => {
      world = { ...world, today }
    },
    close: () => close(server),
  }
}

function checkedQuirks(names: readonly Quirk[]): ReadonlySet<Quirk> {
  const unknown = names.find((name) => !QUIRKS.includes(name))
  if (unknown === undefined) return new Set(names)
  throw new LakeError('INVALID_ARGUMENT', `the exchange has no quirk ${unknown}`, {
    next: `It has: ${QUIRKS.join(', ')}.`,
  })
}

/** The body of a request; empty for one that is torn. */
async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ''
  try {
    for await (const piece of request.setEncoding('utf8')) body += piece as string
  } catch {
    return ''
  }
  return body
}

const DATACENTER = new Set(['/api/data/v1/get', '/securities/api/data/v1/get'])

function respond(
  world: World,
  cache: RowCache,
  url: URL,
  response: ServerResponse,
  faults: Faults,
): void {
  if (!DATACENTER.has(url.pathname)) {
    response.writeHead(404, { 'content-type': 'text/html' })
    response.end('<html><body>404</body></html>')
    return
  }
  const fault = faults.next(url.search)
  const found =
    fault === 'busy'
      ? busyAnswer
      : fault === 'empty'
        ? emptyAnswer
        : answer(world, url.searchParams, cache, fault === 'drift')
  const body = JSON.stringify(found)
  if (fault && answerWithFault(fault, body, response)) return
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' })
  response.end(body)
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve())
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
