/** Requests through a proxy of the environment. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createHttp } from '../../src/ingestion/http.ts'
import { textOf } from '../../src/ingestion/send.ts'
import { NO_SETTINGS, clockAt } from '../support/source.ts'

const asked: string[] = []
const origin = createServer((_request, response) => response.end('from the origin'))
/** A proxy by which every host is the origin. */
const proxy = createServer((request, response) => {
  asked.push(request.url ?? '')
  response.end('from the proxy')
}).on('connect', (request, client) => {
  asked.push(request.url ?? '')
  const server = connect((origin.address() as AddressInfo).port, '127.0.0.1', () => {
    client.write('HTTP/1.1 200 OK\r\n\r\n')
    server.pipe(client)
    client.pipe(server)
  })
  for (const socket of [client, server]) socket.on('error', () => undefined)
})

beforeAll(async () => {
  for (const server of [origin, proxy])
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  vi.stubEnv('http_proxy', `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`)
  vi.stubEnv('no_proxy', 'direct.test')
})
afterAll(() => {
  vi.unstubAllEnvs()
  for (const server of [origin, proxy]) {
    server.closeAllConnections()
    server.close()
  }
})

function get(url: string): Promise<string> {
  const http = createHttp({
    source: 'test',
    settings: NO_SETTINGS,
    effects: clockAt(),
    signal: new AbortController().signal,
    onEvent: () => undefined,
  })
  return http.get(url, (answer) => ({ kind: 'ok', value: textOf(answer) }))
}

test('hosts are asked through it, this machine and NO_PROXY are not', async () => {
  expect(await get('http://exchange.test/x')).toMatch(/^from the/)
  expect(asked.join()).toContain('exchange.test')
  asked.length = 0
  expect(await get(`http://127.0.0.1:${(origin.address() as AddressInfo).port}/`)).toBe(
    'from the origin',
  )
  await expect(get('http://direct.test/x')).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' })
  expect(asked).toEqual([])
})
