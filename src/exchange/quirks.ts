/** Quirks of the real sources, each by its name: odd rows that an answer holds, and faults that befall requests. */
import { gzipSync } from 'node:zlib'
import type { ServerResponse } from 'node:http'
import { chance } from './random.ts'

/** Odd rows. */
export const ROW_QUIRKS = {
  'other-market':
    'reports hold companies of the over-the-counter market unless a filter leaves them out',
  republished: 'statements repeat the notice date of the last report that showed the period',
  'year-on-year': 'changes against the year before are made anew when that year is restated',
  'two-rows': 'after a restatement the indicators hold both versions',
  'no-date': 'the first notice date of some reports is 1900-01-01 for some weeks',
  'code-change':
    'companies of Beijing have had codes 83xxxx until 2025-10-09 and 92xxxx since, also in old reports',
} as const

/** Faults of requests. */
export const FAULT_QUIRKS = {
  busy: 'code 9701 with HTTP 200: overload',
  empty: 'code 9201 for rows that are there; never twice in a row',
  drift: 'a row comes in while pages are read, so the count grows',
  page: 'an HTML page with HTTP 200',
  unavailable: 'HTTP 503',
  reset: 'the connection breaks in the middle of a body',
  'cut-gzip': 'a compressed body that ends too early',
  garbage: 'bytes that are no JSON',
} as const

/** The name of a quirk. */
export type Quirk = keyof typeof ROW_QUIRKS | keyof typeof FAULT_QUIRKS

/** Every quirk. */
export const QUIRKS: readonly Quirk[] = [
  ...(Object.keys(ROW_QUIRKS) as Quirk[]),
  ...(Object.keys(FAULT_QUIRKS) as Quirk[]),
]

/** What an exchange does when nothing else is asked for: what every answer of the real one shows. */
export const USUAL_QUIRKS: readonly Quirk[] = ['other-market', 'republished', 'year-on-year']

/** Draws faults for requests; about one in `1 / share` meets one of those that are switched on. */
export interface Faults {
  /** The fault of the next request of this address; never two in a row, as nobody would come through. */
  next(address: string): Quirk | undefined
}

/** Faults from a seed. */
export function drawFaults(quirks: ReadonlySet<Quirk>, seed: number, share: number): Faults {
  const kinds = (Object.keys(FAULT_QUIRKS) as Quirk[]).filter((quirk) => quirks.has(quirk))
  const asked = new Map<string, number>()
  const struck = new Set<string>()
  return {
    next: (address) => {
      const times = asked.get(address) ?? 0
      asked.set(address, times + 1)
      const draw = chance(seed, address, times)
      if (kinds.length === 0 || draw >= share || struck.delete(address)) return undefined
      struck.add(address)
      return kinds[Math.floor((draw / share) * kinds.length)]
    },
  }
}

const PAGE = '<!DOCTYPE html><html><body>访问过于频繁，请稍后再试</body></html>'
const GARBAGE_BYTES = 65_536

/** Answers a request as its fault will have it; false for faults that lie in the rows. */
export function answerWithFault(fault: Quirk, body: string, response: ServerResponse): boolean {
  switch (fault) {
    case 'page':
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(PAGE)
      return true
    case 'unavailable':
      response.writeHead(503).end()
      return true
    case 'reset':
      response.writeHead(200, {
        'content-type': 'application/json',
        'content-length': body.length + 1,
      })
      response.write(body.slice(0, body.length / 2), () => response.destroy())
      return true
    case 'cut-gzip': {
      const packed = gzipSync(body)
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
      response.end(packed.subarray(0, packed.length / 2))
      return true
    }
    case 'garbage':
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(Buffer.alloc(GARBAGE_BYTES, 0xa5))
      return true
    default:
      return false
  }
}
