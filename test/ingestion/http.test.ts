/** HTTP against a real server that misbehaves: what is asked again, what is not, and what never fills the memory. */
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { createHttp } from '../../src/ingestion/http.ts'
import type { Http, HttpOptions, Judge } from '../../src/ingestion/http.ts'
import { textOf } from '../../src/ingestion/send.ts'
import type { Clock } from '../support/source.ts'
import { NO_SETTINGS, clockAt } from '../support/source.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

type Handler = (request: IncomingMessage, response: ServerResponse, number: number) => void

/** A server on loopback and a client whose waits cost no time. */
async function serving(
  handle: Handler,
  options: Partial<HttpOptions> = {},
): Promise<{ url: string; http: Http; clock: Clock; waits: () => number[] }> {
  let number = 0
  const server = createServer((request, response) => handle(request, response, ++number))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const waited: number[] = []
  const clock = clockAt()
  const http = createHttp({
    source: 'test',
    settings: NO_SETTINGS,
    effects: clock,
    signal: new AbortController().signal,
    onEvent: (event) => {
      if (event.type === 'wait') waited.push(event.timeMs)
    },
    ...options,
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`
  return { url, http, clock, waits: () => waited }
}

/** Takes JSON; what is cut off is asked again. */
const json: Judge<unknown> = (answer) => {
  try {
    return { kind: 'ok', value: JSON.parse(textOf(answer)) as unknown }
  } catch {
    return { kind: 'busy', reason: 'no JSON' }
  }
}

const GOOD = '{"ok":true}'

/** Fails at first and is well at the third request. */
function wellAtLast(fail: (request: IncomingMessage, response: ServerResponse) => void): Handler {
  return (request, response, number) => {
    if (number < 3) fail(request, response)
    else response.end(GOOD)
  }
}

describe('is asked again', () => {
  const faults: readonly (readonly [
    string,
    (_: IncomingMessage, response: ServerResponse) => void,
  ])[] = [
    ['a reset before the answer', (request) => request.socket.destroy()],
    [
      'a reset in the middle of the body',
      (request, response) => {
        response.writeHead(200, { 'content-length': '1000' })
        response.write('{"rows":[')
        setTimeout(() => request.socket.destroy(), 5)
      },
    ],
    [
      'a truncated gzip',
      (_request, response) => {
        const whole = gzipSync(Buffer.from(JSON.stringify({ rows: Array(5000).fill('row') })))
        response.writeHead(200, { 'content-encoding': 'gzip' })
        response.end(whole.subarray(0, whole.length - 20))
      },
    ],
    [
      'what is called gzip and is none',
      (_request, response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' })
        response.end('{"rows":[]}')
      },
    ],
    ['a body that ends too early', (_request, response) => response.end(GOOD.slice(0, 5))],
    ['an empty body', (_request, response) => response.end()],
    [
      '10 MB of garbage',
      (_request, response) => response.end(Buffer.alloc(10 << 20, 'garbage\u0000')),
    ],
    ['a bad gateway', (_request, response) => response.writeHead(502).end('<html>')],
    ['a server error', (_request, response) => response.writeHead(500).end()],
  ]

  test.each(faults)('%s', async (_name, fail) => {
    const { url, http, waits } = await serving(wellAtLast(fail))
    expect(await http.get(url, json)).toEqual({ ok: true })
    expect(http.requests()).toBe(3)
    expect(waits()).toHaveLength(2)
  })

  test('six times, later and later, and then given up', async () => {
    const { url, http, waits } = await serving((request) => request.socket.destroy())
    await expect(http.get(url, json)).rejects.toMatchObject({
      code: 'SOURCE_FAILED',
      details: { tries: 6 },
    })
    expect(waits()).toEqual(waits().toSorted((a, b) => a - b))
    expect(waits()).toHaveLength(5)
  })

  test('after the time that the source names, in seconds or as a date', async () => {
    for (const header of ['20', new Date(Date.parse('2026-11-26T12:00:20Z')).toUTCString()]) {
      const { url, http, clock, waits } = await serving((_request, response, number) => {
        if (number > 1) response.end(GOOD)
        else response.writeHead(429, { 'retry-after': header }).end()
      })
      const startMs = clock.ms
      expect(await http.get(url, json)).toEqual({ ok: true })
      expect(clock.ms - startMs).toBeGreaterThanOrEqual(20_000)
      expect(waits()[0]).toBeGreaterThanOrEqual(20_000)
    }
  })
})

describe('is not asked again', () => {
  test('where nobody listens', async () => {
    const { http } = await serving(() => undefined)
    const [server] = servers
    const { port } = server!.address() as AddressInfo
    await new Promise((resolve) => server!.close(resolve))
    await expect(http.get(`http://127.0.0.1:${port}/`, json)).rejects.toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
      message: expect.stringContaining('ECONNREFUSED'),
    })
    expect(http.requests()).toBe(1)
  })

  test('where a certificate or TLS is wrong', async () => {
    const { url, http } = await serving((_request, response) => response.end(GOOD))
    await expect(http.get(url.replace('http:', 'https:'), json)).rejects.toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
    })
    expect(http.requests()).toBe(1)
  })

  test.each([403, 404])('HTTP %i', async (status) => {
    const { url, http } = await serving((_request, response) => response.writeHead(status).end())
    await expect(http.get(url, json)).rejects.toMatchObject({
      code: 'SOURCE_REFUSED',
      message: expect.stringContaining(`HTTP ${status}`),
    })
    expect(http.requests()).toBe(1)
  })

  test('a body without end; it is left where it passes the limit', async () => {
    let sent = 0
    const { url, http } = await serving((_request, response) => {
      const piece = Buffer.alloc(64 << 10, 'x')
      const more = (): void => {
        while (sent < 1 << 30 && response.write(piece)) sent += piece.length
      }
      response.on('drain', more)
      more()
    })
    await expect(http.get(url, json, { bodyBytesMax: 1 << 20 })).rejects.toMatchObject({
      code: 'SOURCE_REFUSED',
      message: expect.stringContaining('larger than 1024 KB'),
    })
    expect(sent).toBeLessThan(64 << 20)
  })

  test('a bomb of zeros', async () => {
    const bomb = gzipSync(Buffer.alloc(16 << 20))
    const { url, http } = await serving((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb)
    })
    const limit = { bodyBytesMax: 1 << 20 }
    await expect(http.get(url, json, limit)).rejects.toMatchObject({ code: 'SOURCE_REFUSED' })
  })

  test('a post that is sent elsewhere: its body may hold a token', async () => {
    const bodies: number[] = []
    const other = await serving((_request, response) => {
      bodies.push(1)
      response.end(GOOD)
    })
    const { url, http } = await serving((_request, response) =>
      response.writeHead(307, { location: other.url }).end(),
    )
    await expect(http.post(url, '{"token":"secret"}', json)).rejects.toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
    })
    expect(bodies).toEqual([])
  })
})

test('a stopped sync waits for nothing', async () => {
  const stop = new AbortController()
  const { url, http } = await serving((request) => request.socket.destroy(), {
    signal: stop.signal,
    effects: { ...clockAt(), sleep: () => new Promise(() => undefined) },
    onEvent: (event) => {
      if (event.type === 'wait') stop.abort()
    },
  })
  await expect(http.get(url, json)).rejects.toMatchObject({ code: 'CANCELLED' })
  await expect(http.get(url, json)).rejects.toMatchObject({ code: 'CANCELLED' })
})

test('text is UTF-8, else GBK, whatever the header says', () => {
  const answer = { status: 200, contentType: 'text/plain; charset=utf-8' }
  expect(textOf({ ...answer, body: Buffer.from('贵州茅台') })).toBe('贵州茅台')
  const gbk = Buffer.from([0xb9, 0xf3, 0xd6, 0xdd, 0xc3, 0xa9, 0xcc, 0xa8])
  expect(textOf({ ...answer, body: gbk })).toBe('贵州茅台')
})
