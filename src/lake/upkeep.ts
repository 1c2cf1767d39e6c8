/** What a lake does by itself after commits: it folds files, publishes its views again and vacuums, one after the other. */
import { messageOf } from '../model/errors.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import type { MaintenanceContext } from './maintenance.ts'
import { RestingWork } from './resting-work.ts'

/** What upkeep works with. */
export interface UpkeepOptions {
  readonly context: MaintenanceContext
  readonly maxSeconds: number
  /** Publishes the views, where they were published before. */
  readonly publishViews: () => Promise<void>
  /** The same once, unless they show the newest version; false if there is a newer one meanwhile. */
  readonly followViews: () => Promise<boolean>
  readonly warn: (message: string) => void
}

/** Others who commit without a pause must not keep a lake from being closed. */
const IDLE_ROUNDS_MAX = 3
/** A publication takes longer than a small commit, so that a lake which is written all the time rests between two. */
const VIEWS_REST_MS = 2000

/** Runs beside the next commits, never twice at once; its failure is a warning. It must be waited for at the end. */
export class Upkeep {
  readonly #options: UpkeepOptions
  readonly #views: RestingWork
  #running: Promise<void> = Promise.resolve()
  #dueTables = new Set<string>()

  constructor(options: UpkeepOptions) {
    this.#options = options
    this.#views = new RestingWork(VIEWS_REST_MS, () => this.#queue(() => this.#follow()))
  }

  /** What a commit makes due. */
  schedule(record: LakeRecord): void {
    if (record.operation === 'OPTIMIZE') return
    const idle = this.#dueTables.size === 0
    for (const { table } of record.commits) this.#dueTables.add(table)
    if (idle) this.#queue(() => this.#maintain())
  }

  /** Waits for what is under way, and for views that wait for their turn: they have it now. */
  async idle(): Promise<void> {
    for (let round = 1; round <= IDLE_ROUNDS_MAX; round++) {
      await this.#running
      if (!this.#views.hurry()) break
    }
    await this.#running
  }

  /** The same, and nothing begins later: whoever commits beside us publishes what he commits. */
  async close(): Promise<void> {
    await this.idle()
    this.#views.cancel()
  }

  #queue(work: () => Promise<void>): void {
    this.#running = this.#running.then(work).catch((error: unknown) => {
      this.#options.warn(`maintenance failed and will be tried again: ${messageOf(error)}`)
    })
  }

  /** Somebody else may have published an older version over ours: whoever sees a newer one comes again. */
  async #follow(): Promise<void> {
    if (!(await this.#options.followViews())) this.#views.due()
  }

  async #maintain(): Promise<void> {
    const { context, maxSeconds, publishViews } = this.#options
    const { effects } = context.store
    const deadlineMs = effects.now() + maxSeconds * 1000
    const stop = (): boolean => effects.now() > deadlineMs
    const tables = [...this.#dueTables]
    this.#dueTables = new Set()
    const { optimizeDue, vacuumDue } = await import('./maintenance.ts')
    // Views are due also where folding fails.
    this.#views.due()
    await optimizeDue(context, tables, stop)
    await vacuumDue(context, stop, publishViews)
  }
}
