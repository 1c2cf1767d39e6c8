/** `sync --every`: stays up and syncs on a schedule, in Shanghai time. */
import { Cron } from 'croner'
import { openLake } from '../../lake/lake.ts'
import { planLakeSync } from '../../lake/sync.ts'
import { LakeError, messageOf } from '../../model/errors.ts'
import type { CliContext } from '../context.ts'
import { reportError, say } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import type { SyncCommandOptions } from './sync.ts'
import { syncOnce, wantedOf } from './sync.ts'

const ZONE = 'Asia/Shanghai'
/** A timer stands still while the machine sleeps, so the clock is read at least this often. */
const LOOK_MS = 30_000

/**
 * Syncs whenever the schedule says so, until it is interrupted. A run that fails is reported, and the next one comes
 * at its time; what falls due during a run, or while the machine slept, is made up for by one run.
 */
export async function syncEvery(
  context: CliContext,
  pattern: string,
  options: SyncCommandOptions,
): Promise<number> {
  const schedule = scheduleOf(pattern)
  await checkPlan(context, options)
  const each: CliContext = { ...context, json: options.jsonl ?? false }
  let begunMs = Date.now()
  while (!context.signal.aborted) {
    const next = nextSync(schedule, begunMs, Date.now())
    if (!next) throw badPattern(pattern, 'it names no moment to come')
    say(each, `next sync at ${momentText(next)} (${ZONE})`)
    await waitUntil(next.getTime(), context.signal)
    begunMs = Date.now()
    if (!context.signal.aborted)
      await syncOnce(each, options).catch((e) => reportError(e, each.json))
  }
  return EXIT.interrupted
}

/** The first moment after the last run began, which may be past; after a clock that went back, the first from now on. */
export function nextSync(schedule: Cron, begunMs: number, nowMs: number): Date | null {
  return schedule.nextRun(new Date(Math.min(begunMs, nowMs)))
}

/** A pattern as a schedule that starts nothing by itself. */
export function scheduleOf(pattern: string): Cron {
  try {
    return new Cron(pattern, { timezone: ZONE, paused: true })
  } catch (error) {
    throw badPattern(pattern, messageOf(error), error)
  }
}

function badPattern(pattern: string, reason: string, cause?: unknown): LakeError {
  return new LakeError('INVALID_ARGUMENT', `--every: "${pattern}" is no schedule: ${reason}`, {
    details: { pattern },
    cause,
    next: 'Give minute, hour, day, month and weekday, for example "30 17 * * 1-5" for half past five on weekdays.',
  })
}

/** What fails now would fail each time. */
async function checkPlan(context: CliContext, options: SyncCommandOptions): Promise<void> {
  const lake = await openLake(context.lake, { lease: false })
  try {
    await planLakeSync(lake, wantedOf(options))
  } finally {
    await lake.close()
  }
}

function waitUntil(timeMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout
    const look = (): void => {
      const leftMs = timeMs - Date.now()
      if (leftMs <= 0 || signal.aborted) {
        clearTimeout(timer)
        signal.removeEventListener('abort', look)
        resolve()
        return
      }
      clearTimeout(timer)
      timer = setTimeout(look, Math.min(leftMs, LOOK_MS))
    }
    signal.addEventListener('abort', look)
    look()
  })
}

function momentText(moment: Date): string {
  return moment.toLocaleString('sv-SE', { timeZone: ZONE }).slice(0, 16)
}
