/** Other engines as one Python process: requests and answers are lines of JSON. */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Canonical } from './canonical.ts'

/** Engines by the names they have in `docs/interop.md`. */
export type EngineName = 'delta-rs' | 'Polars' | 'DuckDB' | 'ClickHouse' | 'Spark'

/** What pip installs, in one environment for each set. */
const REQUIREMENTS: Readonly<Record<'python' | 'spark', readonly string[]>> = {
  python: [
    'deltalake==1.6.6',
    'polars==2.1.0',
    'duckdb==1.5.5',
    'duckdb-extension-delta==1.5.5',
    'pyarrow==26.0.1',
    'chdb==4.4.0',
  ],
  spark: ['pyspark==4.1.4', 'delta-spark==4.4.0', 'pyarrow==26.0.1', 'pandas'],
}

const CACHE = resolve('.venv')
const INSTALL_ATTEMPTS = 3

/** The Python of an environment with what a set needs, made at the first call. */
export function environmentOf(set: 'python' | 'spark'): string {
  const wanted = REQUIREMENTS[set]
  const hash = createHash('sha256').update(wanted.join(' ')).digest('hex').slice(0, 12)
  const directory = join(CACHE, `interop-${set}-${hash}`)
  const python = join(directory, 'bin/python')
  if (existsSync(join(directory, 'complete'))) return python
  mkdirSync(CACHE, { recursive: true })
  rmSync(directory, { recursive: true, force: true })
  execFileSync('python3', ['-m', 'venv', directory], { stdio: 'ignore' })
  install(python, wanted)
  mkdirSync(join(directory, 'complete.part'))
  renameSync(join(directory, 'complete.part'), join(directory, 'complete'))
  return python
}

/** A registry may be slow for a moment; what fails three times is not to be had. */
function install(python: string, wanted: readonly string[]): void {
  const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...wanted]
  for (let attempt = 1; ; attempt++) {
    try {
      execFileSync(python, args, { stdio: ['ignore', 'ignore', 'inherit'], timeout: 400_000 })
      return
    } catch (error) {
      if (attempt === INSTALL_ATTEMPTS) throw error
    }
  }
}

/** Columns as the writers of the other side take them. */
export type Columns = readonly (readonly [
  name: string,
  type: 'long' | 'integer' | 'string' | 'double' | 'date',
])[]

/** Rows for other writers: integers as text, dates as `YYYY-MM-DD`. */
export type PlainRow = Readonly<Record<string, string | number | null>>

/** A process with engines. It must be closed. */
export interface Engines {
  version(engine: EngineName): Promise<string>
  read(engine: EngineName, path: string): Promise<Canonical>
  append(
    engine: EngineName,
    path: string,
    columns: Columns,
    rows: readonly PlainRow[],
  ): Promise<void>
  /** Appends rows with columns that the table has not. */
  widen(
    engine: EngineName,
    path: string,
    columns: Columns,
    rows: readonly PlainRow[],
  ): Promise<void>
  merge(
    engine: EngineName,
    path: string,
    columns: Columns,
    rows: readonly PlainRow[],
    keys: readonly string[],
  ): Promise<void>
  delete(engine: EngineName, path: string, where: string): Promise<void>
  optimize(engine: EngineName, path: string): Promise<void>
  checkpoint(engine: EngineName, path: string): Promise<void>
  /** Versions with their operations, newest first. */
  history(engine: EngineName, path: string): Promise<[version: number, operation: string][]>
  close(): void
}

/** Starts the engines of an environment. */
export function startEngines(set: 'python' | 'spark'): Engines {
  const child = spawn(environmentOf(set), [resolve('test/interop/support/engines.py')], {
    // ClickHouse reads only below its working directory.
    cwd: set === 'python' ? '/' : CACHE,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, TZ: 'UTC', PYTHONIOENCODING: 'utf-8' },
  })
  let noise = ''
  child.stderr.on('data', (data: Buffer) => (noise = (noise + data.toString()).slice(-4000)))
  const ask = asker(child, () => noise)
  return {
    version: (engine) => ask({ engine, call: 'version' }) as Promise<string>,
    read: (engine, path) => ask({ engine, call: 'read', path }) as Promise<Canonical>,
    append: (engine, path, columns, rows) =>
      done(ask({ engine, call: 'append', path, columns, rows })),
    widen: (engine, path, columns, rows) =>
      done(ask({ engine, call: 'widen', path, columns, rows })),
    merge: (engine, path, columns, rows, keys) =>
      done(ask({ engine, call: 'merge', path, columns, rows, keys })),
    delete: (engine, path, where) => done(ask({ engine, call: 'delete', path, where })),
    optimize: (engine, path) => done(ask({ engine, call: 'optimize', path })),
    checkpoint: (engine, path) => done(ask({ engine, call: 'checkpoint', path })),
    history: (engine, path) =>
      ask({ engine, call: 'history', path }) as Promise<[number, string][]>,
    close: () => void child.kill(),
  }
}

async function done(reply: Promise<unknown>): Promise<void> {
  await reply
}

/** Answers come in the order of the requests. */
function asker(
  child: ChildProcess,
  noise: () => string,
): (request: Readonly<Record<string, unknown>>) => Promise<unknown> {
  const waiting: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = []
  createInterface({ input: child.stdout! }).on('line', (line) => {
    const { ok, error } = JSON.parse(line) as { ok?: unknown; error?: string }
    const next = waiting.shift()!
    if (error === undefined) next.resolve(ok)
    else next.reject(new Error(error))
  })
  child.on('close', (code) => {
    for (const next of waiting.splice(0))
      next.reject(new Error(`the engines ended with ${String(code)}: ${noise()}`))
  })
  return (request) =>
    new Promise((resolve, reject) => {
      waiting.push({ resolve, reject })
      child.stdin!.write(`${JSON.stringify(request)}\n`)
    })
}
