/** A sync in a process of its own, at a simulated exchange that can leave a request without an answer. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { startExchange } from '../../src/exchange/server.ts'
import type { Exchange } from '../../src/exchange/server.ts'
import type { Lake } from '../../src/lake/lake.ts'
import type { CommandResult } from './command.ts'
import { commandIn, marketlake } from './command.ts'
import { newLake } from './lake.ts'

export const MAIN: string = resolve('dist/cli/main.js')

/** A process under way. */
export interface Running {
  readonly child: ChildProcess
  readonly text: () => { stdout: string; stderr: string }
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

/** What the tests of a file share: a fresh lake a test, and one exchange. */
export interface SyncBench {
  readonly lake: () => Lake
  /** A lake without rows whose source has these settings. */
  readonly freshLake: (settings?: string) => Promise<Lake>
  readonly env: () => Record<string, string>
  readonly start: (...args: string[]) => Running
  readonly run: (...args: string[]) => Promise<CommandResult>
  /** The same command in this process. */
  readonly runHere: (...args: string[]) => Promise<CommandResult>
  /** From now on the last report of a period is not answered; resolves when it is asked for. */
  readonly stick: () => Promise<void>
  /** Answers again, and breaks the connections that wait. */
  readonly unstick: () => void
}

/** Registers the hooks of a test file. */
export function syncBench(): SyncBench {
  let exchange: Exchange
  let lake: Lake
  let stuck = false
  let asked: () => void = () => undefined
  const waiting: (() => void)[] = []
  beforeAll(async () => {
    exchange = await startExchange({
      symbols: 60,
      today: '2024-06-30',
      intercept: (_request, response, url) => {
        if (!stuck || url.searchParams.get('reportName') !== 'RPT_DMSK_FN_CASHFLOW') return false
        waiting.push(() => response.destroy())
        asked()
        return true
      },
    })
  })
  afterAll(() => exchange.close())
  const freshLake = async (settings = ''): Promise<Lake> => {
    lake = await newLake()
    const toml = `[sources.eastmoney]\npace_ms = 0\n${settings}`
    writeFileSync(join(lake.root, 'lake.toml'), toml)
    return lake
  }
  const unstick = (): void => {
    stuck = false
    for (const open of waiting.splice(0)) open()
  }
  beforeEach(async () => {
    unstick()
    await freshLake()
  })
  const env = (): Record<string, string> => ({ MARKETLAKE_EASTMONEY_URL: exchange.url })
  return {
    lake: () => lake,
    freshLake,
    env,
    start: (...args) => start(['--lake', lake.root, ...args], env()),
    run: (...args) => marketlake(['--lake', lake.root, ...args], { env: env() }),
    runHere: (...args) => commandIn(process.cwd(), env()).run('--lake', lake.root, ...args),
    stick: () => {
      stuck = true
      return new Promise((done) => (asked = done))
    },
    unstick,
  }
}

function start(args: readonly string[], more: Record<string, string>): Running {
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...more }
  const child = spawn(process.execPath, [MAIN, ...args], { env })
  const text = { stdout: '', stderr: '' }
  child.stdout.on('data', (data: Buffer) => (text.stdout += data.toString()))
  child.stderr.on('data', (data: Buffer) => (text.stderr += data.toString()))
  return {
    child,
    text: () => text,
    ended: new Promise((done) => child.on('close', (code, signal) => done({ code, signal }))),
  }
}

/** Longer than anything here takes on a slow machine: what never comes fails by itself instead of at the end of a suite. */
const NEVER_MS = 100_000

/** Waits until something is so. */
export async function until(what: () => boolean): Promise<void> {
  for (let waitedMs = 0; !what(); waitedMs += 20) {
    if (waitedMs > NEVER_MS) throw new Error(`it never came: ${what.toString()}`)
    await new Promise((done) => setTimeout(done, 20))
  }
}

/** Notes of holders in a lake. */
export function holders({ root }: Lake): string[] {
  return readdirSync(join(root, '_lake', 'sources')).filter((name) => name.includes('holder'))
}

/** Everything in the warehouse of a lake. */
export function warehouse({ root }: Lake): string[] {
  return readdirSync(join(root, 'warehouse'), { recursive: true }).map(String).toSorted()
}
