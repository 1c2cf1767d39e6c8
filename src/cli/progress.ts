/** Progress of a sync on stderr: a live line for terminals, plain lines otherwise, or JSON lines. */
import type { EventSink, SyncEvent } from '../ingestion/events.ts'
import type { CliContext } from './context.ts'
import { countText } from './format.ts'
import { writeWords } from './context.ts'
import { visible } from './visible.ts'
import { clipped } from './width.ts'

/** A sink that must be closed, so that the terminal is left clean. */
export interface Progress {
  readonly sink: EventSink
  close(): void
}

/** The progress that a command's context asks for. */
export function progressOf(context: CliContext): Progress {
  switch (context.progress) {
    case 'none':
      return { sink: () => undefined, close: () => undefined }
    case 'json':
      return {
        sink: (event) => process.stderr.write(`${JSON.stringify(event)}\n`),
        close: () => undefined,
      }
    case 'lines':
      return { sink: (event) => writeLine(lineOf(event)), close: () => undefined }
    case 'tty':
      return terminalProgress()
  }
}

function writeLine(line: string | undefined): void {
  if (line !== undefined) writeWords(`${line}\n`)
}

/** What is worth a line of its own; pages are not. */
function lineOf(event: SyncEvent): string | undefined {
  switch (event.type) {
    case 'plan':
      return `${event.batches} periods to fetch, about ${countText(event.requests)} requests${
        event.skipped > 0 ? `; ${event.skipped} done before` : ''
      }`
    case 'committed':
      return `${event.source} ${event.period}: ${countText(event.inserted)} new, ${countText(event.updated)} changed (version ${event.version})`
    case 'unchanged':
      return `${event.source} ${event.period}: ${countText(event.unchanged)} rows, nothing changed`
    case 'failed':
      return `${event.source} ${event.period}: FAILED, nothing of it stored: ${event.message}`
    case 'thin':
      return `warning: ${event.source} has ${event.table} of ${event.period} from ${event.symbols} stocks only, ${event.expected} in the periods beside it`
    case 'warning':
      return `warning: ${event.message}`
    case 'wait':
      return event.timeMs >= 2000
        ? `waiting ${Math.round(event.timeMs / 1000)} s for ${event.source}: ${event.reason}`
        : undefined
    case 'start':
    case 'page':
    case 'end':
      return undefined
  }
}

const BAR_CELLS = 24
/** Weight of the newest batch in the average that the ETA is made from. */
const SMOOTHING = 0.3

interface LiveState {
  planned: number
  finished: number
  requests: number
  startedMs: number
  batchMs: number | undefined
  batchStartedMs: number
  doing: string
}

function terminalProgress(): Progress {
  const state: LiveState = {
    planned: 0,
    finished: 0,
    requests: 0,
    startedMs: Date.now(),
    batchMs: undefined,
    batchStartedMs: Date.now(),
    doing: '',
  }
  const draw = (): void => {
    const width = process.stderr.columns || 80
    process.stderr.write(`\r\u001b[2K${clipped(visible(liveLine(state)), width - 1)}`)
  }
  const timer = setInterval(draw, 500)
  timer.unref()
  return {
    sink: (event) => {
      const line = lineOf(event)
      if (line !== undefined) process.stderr.write(`\r\u001b[2K${visible(line)}\n`)
      advance(state, event)
      draw()
    },
    close: () => {
      clearInterval(timer)
      process.stderr.write('\r\u001b[2K')
    },
  }
}

function advance(state: LiveState, event: SyncEvent): void {
  const nowMs = Date.now()
  switch (event.type) {
    case 'plan':
      state.planned = event.batches
      return
    case 'start':
      state.batchStartedMs = nowMs
      state.doing = `fetching ${event.source} ${event.period}`
      return
    case 'page':
      state.requests++
      state.doing = `fetching ${event.table} ${event.period} page ${event.page}/${event.pages}`
      return
    case 'wait':
      state.doing = `waiting on ${event.source} (${event.reason})`
      return
    case 'committed':
    case 'unchanged':
    case 'failed': {
      const tookMs = nowMs - state.batchStartedMs
      state.finished++
      state.batchMs =
        state.batchMs === undefined ? tookMs : state.batchMs * (1 - SMOOTHING) + tookMs * SMOOTHING
      return
    }
    case 'thin':
    case 'warning':
    case 'end':
  }
}

function liveLine(state: LiveState): string {
  const share = state.planned === 0 ? 0 : state.finished / state.planned
  const full = Math.round(share * BAR_CELLS)
  const bar = '█'.repeat(full) + '░'.repeat(BAR_CELLS - full)
  const seconds = (Date.now() - state.startedMs) / 1000
  const rate = (state.requests / Math.max(seconds, 0.001)).toFixed(1)
  const left = (state.planned - state.finished) * (state.batchMs ?? 0)
  const eta = state.batchMs === undefined ? '' : `  ETA ${durationText(left)}`
  return `${bar} ${state.finished}/${state.planned}  ${rate} req/s${eta}  ${state.doing}`
}

function durationText(timeMs: number): string {
  const seconds = Math.round(timeMs / 1000)
  if (seconds < 60) return `${seconds} s`
  return seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`
}
