/** Requests through the proxy that the environment names, which Node 20 does not do by itself. */
import type { Fetch } from './send.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Both spellings are in use; curl reads `http_proxy` in small letters only. */
const NAMES = ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY']
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/i

let viaProxy: Promise<Fetch> | undefined

/** Node's own `fetch`, or one through a proxy. `NO_PROXY` is kept, and this machine is always reached directly. */
export function fetchFor(url: string, environment: Environment = process.env): Promise<Fetch> {
  const named = NAMES.some((name) => (environment[name] ?? '') !== '')
  if (!named || LOOPBACK.test(new URL(url).hostname)) return Promise.resolve(fetch)
  return (viaProxy ??= proxyFetch())
}

async function proxyFetch(): Promise<Fetch> {
  const undici = await import('undici')
  const dispatcher = new undici.EnvHttpProxyAgent()
  return (url, init) => undici.fetch(url, { ...init, dispatcher }) as ReturnType<Fetch>
}
