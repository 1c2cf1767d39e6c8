/** `demo`: the main job in one command, with its figures. */
import type { CliContext } from '../context.ts'
import { say, writeData, writeDocument } from '../context.ts'
import { runDemo } from '../demo/demo.ts'
import type { Compared, DemoResult, DemoState } from '../demo/demo.ts'
import { EXIT } from '../exit-code.ts'
import { countText } from '../format.ts'
import { clipped } from '../width.ts'

/** Options of `demo` as they are typed. */
export interface DemoCommandOptions {
  readonly seconds?: number
  readonly compare?: boolean
  readonly symbols?: number
  readonly data?: string
}

const SECONDS = 60
/** Without a terminal a line of figures comes this often. */
const LINE_MS = 10_000

/** Runs the demo; reader errors or torn reads make it fail. */
export async function demo(context: CliContext, options: DemoCommandOptions): Promise<number> {
  const ticker = tickerOf(context)
  const result = await runDemo({
    seconds: options.seconds ?? SECONDS,
    compare: options.compare ?? false,
    ...(options.symbols !== undefined && { symbols: options.symbols }),
    ...(options.data !== undefined && { data: options.data }),
    signal: context.signal,
    say: (text) => {
      ticker.clear()
      say(context, text)
    },
    onTick: ticker.tick,
  })
  ticker.clear()
  if (context.json) await writeDocument(result)
  else await writeData(resultText(result))
  if (context.signal.aborted) return EXIT.interrupted
  return result.readerErrors === 0 && result.tornReads === 0 ? EXIT.ok : EXIT.check
}

interface Ticker {
  readonly tick: (state: DemoState) => void
  readonly clear: () => void
}

function tickerOf(context: CliContext): Ticker {
  if (context.progress === 'tty') {
    return {
      tick: (state) =>
        process.stderr.write(
          `\r\u001b[2K${clipped(stateText(state), (process.stderr.columns || 80) - 1)}`,
        ),
      clear: () => process.stderr.write('\r\u001b[2K'),
    }
  }
  let lastMs = performance.now()
  const tick = (state: DemoState): void => {
    if (context.progress === 'json') process.stderr.write(`${JSON.stringify(state)}\n`)
    else if (context.progress === 'lines' && performance.now() - lastMs >= LINE_MS) {
      process.stderr.write(`${stateText(state)}\n`)
      lastMs = performance.now()
    }
  }
  return { tick, clear: () => undefined }
}

function stateText(state: DemoState): string {
  const { phase, commits, rows, queries, readerErrors, tornReads } = state
  return `${phase}: ${commits} commits, ${countText(rows)} rows | ${countText(queries)} queries, ${readerErrors} errors, ${tornReads} torn`
}

function resultText(result: DemoResult): string {
  const { idle, whileWriting } = result.latencyMs
  const lines: [string, string][] = [
    ['seconds of syncing', String(result.seconds)],
    ['commits', countText(result.commits)],
    ['rows written', countText(result.rows)],
    ['queries answered', countText(result.queries)],
    ['reader errors', String(result.readerErrors)],
    ['torn reads', String(result.tornReads)],
    ['query latency, readers alone', `p50 ${idle.p50} ms, p99 ${idle.p99} ms`],
    ['query latency beside the sync', `p50 ${whileWriting.p50} ms, p99 ${whileWriting.p99} ms`],
    ['lake version', String(result.lakeVersion)],
  ]
  if (result.compare) {
    lines.push(['readers beside one .duckdb file', comparedText(result.compare.duckdbFile)])
    lines.push(['readers beside replaced files', comparedText(result.compare.replaceInPlace)])
  }
  return lines.map(([name, value]) => `${name.padEnd(34)}${value}\n`).join('')
}

function comparedText(compared: Compared): string {
  const last =
    compared.lastError === undefined ? '' : ` (${clipped(compared.lastError.split('\n')[0]!, 100)})`
  return `${countText(compared.queries)} answered, ${countText(compared.readerErrors)} errors${last}`
}
