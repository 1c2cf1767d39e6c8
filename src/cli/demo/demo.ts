/** The demo: a sync writes while readers query without pause, counted and timed. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { recordedMarket } from '../../exchange/recorded-market.ts'
import { startExchange } from '../../exchange/server.ts'
import type { Exchange } from '../../exchange/server.ts'
import { createLake, openLake } from '../../lake/lake.ts'
import { syncLake } from '../../lake/sync.ts'
import { addDays } from '../../model/date.ts'
import { realEffects } from '../../model/effects.ts'
import { localFiles } from '../../storage/files/local.ts'
import { removeTree } from '../../storage/files/remove-tree.ts'
import { prepareFiles } from './others.ts'
import type { Latency, Tally } from './tally.ts'
import { addTally, latencyOf, noTally } from './tally.ts'
import type { Report, Task } from './worker.ts'

/** How the demo is run. */
export interface DemoOptions {
  /** Seconds of syncing. */
  readonly seconds: number
  readonly compare: boolean
  readonly symbols?: number
  /** A directory of recorded reports to serve in place of a simulated market. */
  readonly data?: string
  readonly signal: AbortSignal
  readonly say: (text: string) => void
  /** Told twice a second while it runs. */
  readonly onTick: (state: DemoState) => void
}

/** What the demo has counted so far. */
export interface DemoState {
  readonly phase: string
  readonly commits: number
  readonly rows: number
  readonly queries: number
  readonly readerErrors: number
  readonly tornReads: number
  readonly lakeVersion: number
}

/** What one of the compared ways did to its readers. */
export interface Compared {
  readonly queries: number
  readonly readerErrors: number
  readonly lastError?: string
}

/** The figures of a run. */
export interface DemoResult {
  readonly seconds: number
  readonly commits: number
  readonly rows: number
  readonly queries: number
  readonly readerErrors: number
  readonly tornReads: number
  readonly latencyMs: { readonly idle: Latency; readonly whileWriting: Latency }
  readonly lakeVersion: number
  readonly compare?: { readonly duckdbFile: Compared; readonly replaceInPlace: Compared }
}

const DEFAULT_SYMBOLS = 5400
const READERS = 2
/** Periods that are there before the readers begin. */
interface Periods {
  readonly first: { readonly since: string; readonly until: string }
  readonly all: { readonly since: string; readonly until?: string }
}
const SIMULATED: Periods = {
  first: { since: '2024-12-31', until: '2025-03-31' },
  all: { since: '2016-03-31' },
}
/** Recorded reports are yearly but for 2014 to 2016, and end with 2019. */
const RECORDED: Periods = {
  first: { since: '2019-12-31', until: '2019-12-31' },
  all: { since: '1998-12-31', until: '2019-12-31' },
}

/** Runs the demo in a directory of its own and removes it afterwards. */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const directory = join(tmpdir(), `marketlake-demo-${randomUUID().slice(0, 8)}`)
  await localFiles.makeDirectory(directory)
  const exchange = await startExchange({
    symbols: options.symbols ?? DEFAULT_SYMBOLS,
    ...(options.data !== undefined && { market: await recordedMarket(options.data) }),
  })
  process.env['MARKETLAKE_EASTMONEY_URL'] = exchange.url
  try {
    const result = await runLake(options, exchange, join(directory, 'lake'))
    if (!options.compare || options.signal.aborted) return result
    const compare = await runOthers(options, directory)
    return { ...result, compare }
  } finally {
    await exchange.close()
    await removeTree(localFiles, directory)
  }
}

async function runLake(
  options: DemoOptions,
  exchange: Exchange,
  path: string,
): Promise<DemoResult> {
  options.say(
    `exchange at ${exchange.url} with ${exchange.world().market.companies.length} listed companies`,
  )
  const periods = options.data === undefined ? SIMULATED : RECORDED
  await prepareLake(path, periods)
  options.say(
    `lake at ${path}; starting ${READERS} engine readers and one reader of analysis.duckdb`,
  )
  const crew = new Crew(options)
  try {
    for (let i = 0; i < READERS; i++) crew.start({ role: 'reader', path })
    crew.start({ role: 'views-reader', path })
    await crew.allReady()
    const idle = await measureIdle(options, crew)
    options.say('now a sync writes while they go on')
    crew.phase = 'syncing'
    crew.start({ role: 'sync', path, ...periods.all })
    const startMs = performance.now()
    await passDays(options, crew, exchange)
    const seconds = (performance.now() - startMs) / 1000
    await crew.finish()
    return resultOf(crew, idle, seconds)
  } finally {
    await crew.finish()
  }
}

async function prepareLake(path: string, periods: Periods): Promise<void> {
  const lake = await createLake(path)
  await lake.close()
  const { writeOutputFile } = await import('../../lake/export-file.ts')
  await writeOutputFile(join(path, 'lake.toml'), ['[sources.eastmoney]\npace_ms = 0\n'])
  const opened = await openLake(path)
  await syncLake(opened, { ...periods.first, restart: true })
  await opened.publishViews()
  await opened.close()
}

async function measureIdle(options: DemoOptions, crew: Crew): Promise<Tally> {
  crew.phase = 'readers alone'
  await pause(options, Math.min(5, Math.max(1, options.seconds / 6)))
  const idle = crew.tally
  crew.tally = noTally
  return idle
}

/** Days of the exchange that pass in a second once everything was synced: reports appear and are restated. */
const DAYS_PER_ROUND = 30

async function passDays(options: DemoOptions, crew: Crew, exchange: Exchange): Promise<void> {
  const endMs = performance.now() + options.seconds * 1000
  crew.onSynced = () => exchange.setToday(addDays(exchange.world().today, DAYS_PER_ROUND))
  while (performance.now() < endMs && !options.signal.aborted) await pause(options, 0.25)
}

async function pause(options: DemoOptions, seconds: number): Promise<void> {
  const endMs = performance.now() + seconds * 1000
  while (performance.now() < endMs && !options.signal.aborted) await realEffects.sleep(50)
}

function resultOf(crew: Crew, idle: Tally, seconds: number): DemoResult {
  const total = addTally(idle, crew.tally)
  return {
    seconds: Math.round(seconds),
    commits: crew.commits,
    rows: crew.rows,
    queries: total.queries,
    readerErrors: total.errors,
    tornReads: total.torn,
    latencyMs: { idle: latencyOf(idle), whileWriting: latencyOf(crew.tally) },
    lakeVersion: crew.version,
  }
}

async function runOthers(
  options: DemoOptions,
  directory: string,
): Promise<NonNullable<DemoResult['compare']>> {
  const seconds = Math.max(3, Math.min(15, options.seconds / 4))
  options.say(`the same readers beside a writer of one .duckdb file, ${seconds} s`)
  const file = join(directory, 'monolith.duckdb')
  const duckdbFile = await compareWith(options, seconds, [
    { role: 'monolith-writer', path: file },
    ...Array.from({ length: READERS + 1 }, (): Task => ({ role: 'monolith-reader', path: file })),
  ])
  options.say(`the same readers beside files that are replaced in place, ${seconds} s`)
  const folder = join(directory, 'files')
  await prepareFiles(folder)
  const replaceInPlace = await compareWith(options, seconds, [
    { role: 'replace-writer', path: folder },
    ...Array.from({ length: READERS + 1 }, (): Task => ({ role: 'replace-reader', path: folder })),
  ])
  return { duckdbFile, replaceInPlace }
}

async function compareWith(
  options: DemoOptions,
  seconds: number,
  tasks: readonly Task[],
): Promise<Compared> {
  const crew = new Crew(options)
  crew.phase = tasks[0]!.role.replace('-writer', '')
  try {
    crew.start(tasks[0]!)
    await crew.firstCommit()
    for (const task of tasks.slice(1)) crew.start(task)
    await pause(options, seconds)
  } finally {
    await crew.finish()
  }
  const { queries, errors, lastError } = crew.tally
  return { queries, readerErrors: errors, ...(lastError !== undefined && { lastError }) }
}

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url))
const FINISH_MS = 20_000

/** The processes of the demo. They must be finished. */
class Crew {
  readonly #options: DemoOptions
  readonly #children = new Map<ChildProcess, Promise<void>>()
  readonly #ready: Promise<void>[] = []
  readonly #timer: NodeJS.Timeout
  phase = 'starting'
  tally: Tally = noTally
  commits = 0
  rows = 0
  version = 0
  onSynced: () => void = () => undefined

  constructor(options: DemoOptions) {
    this.#options = options
    this.#timer = setInterval(() => options.onTick(this.#state()), 500)
  }

  start(task: Task): void {
    const child = fork(WORKER, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    this.#children.set(child, ended)
    this.#ready.push(
      new Promise((resolve) => {
        child.on('message', (report: Report) => {
          if (report.type === 'ready') resolve()
          this.#take(report)
        })
        child.once('exit', () => resolve())
      }),
    )
    child.send(task)
  }

  async allReady(): Promise<void> {
    await Promise.all(this.#ready)
  }

  async firstCommit(): Promise<void> {
    while (this.commits === 0 && this.#running() && !this.#options.signal.aborted) {
      await realEffects.sleep(20)
    }
  }

  /** Asks all to stop and waits; one that does not answer is killed. */
  async finish(): Promise<void> {
    clearInterval(this.#timer)
    for (const child of this.#children.keys()) if (child.connected) child.send('stop')
    const timer = setTimeout(() => {
      for (const child of this.#children.keys()) child.kill('SIGKILL')
    }, FINISH_MS)
    await Promise.all(this.#children.values())
    clearTimeout(timer)
  }

  #running(): boolean {
    return [...this.#children.keys()].some((child) => child.exitCode === null)
  }

  #take(report: Report): void {
    switch (report.type) {
      case 'tally':
        this.tally = addTally(this.tally, report.tally)
        return
      case 'commit':
        this.commits++
        this.rows += report.rows
        this.version = Math.max(this.version, report.version)
        return
      case 'synced':
        this.onSynced()
        return
      case 'ready':
    }
  }

  #state(): DemoState {
    return {
      phase: this.phase,
      commits: this.commits,
      rows: this.rows,
      queries: this.tally.queries,
      readerErrors: this.tally.errors,
      tornReads: this.tally.torn,
      lakeVersion: this.version,
    }
  }
}
