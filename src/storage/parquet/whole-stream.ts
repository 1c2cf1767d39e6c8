/** Streams that are known to be whole: DuckDB's library ends one that failed on its way as if it had come to its end. */
import { LakeError, hasCode } from '../../model/errors.ts'

/** Runs a statement on the connection of the stream. */
type Run = (sql: string) => Promise<unknown>

/** The transaction around a stream: DuckDB aborts it when the stream fails. */
export interface StreamTransaction {
  /** Throws unless every part came. `again` runs the streamed statement behind other words. */
  checkWhole(rowCount: number, again: Run): Promise<void>
  /** Ends it, if it is the stream's own. */
  end(): Promise<void>
}

/** Begins a transaction for a stream, or takes over the one `begun` for it, or goes on in another. */
export async function beginStream(run: Run, begun: boolean): Promise<StreamTransaction> {
  let own =
    begun ||
    (await run('BEGIN').then(
      () => true,
      () => false,
    ))
  const end = async (): Promise<void> => {
    if (own) await run('ROLLBACK').catch(() => undefined)
    own = false
  }
  return {
    end,
    checkWhole: async (rowCount, again) => {
      const isWhole = await run('SELECT 1').then(
        () => true,
        () => false,
      )
      if (isWhole) return
      await end()
      throw await reasonOf(rowCount, again)
    },
  }
}

const TRY = 'EXPLAIN ANALYZE '

/** The error itself is lost; the statement has it again when it runs without giving its rows. */
async function reasonOf(rowCount: number, again: Run): Promise<unknown> {
  const error: unknown = await again(TRY).then(
    () => undefined,
    (caught: unknown) => caught,
  )
  if (error instanceof LakeError && error.details['type'] !== 'Parser') return withoutPrefix(error)
  return new LakeError('SQL_ERROR', `the statement failed behind row ${rowCount}`, {
    details: { rowCount },
    next: 'Run it again; what came before is right but not all.',
  })
}

function withoutPrefix(error: LakeError): LakeError {
  const { sql, position, ...rest } = error.details
  if (!hasCode(error, 'SQL_ERROR') || typeof sql !== 'string' || !sql.startsWith(TRY)) return error
  return new LakeError(error.code, error.message, {
    cause: error.cause,
    details: {
      ...rest,
      sql: sql.slice(TRY.length),
      ...(typeof position === 'number' && { position: position - TRY.length }),
    },
    ...(error.next !== undefined && { next: error.next }),
  })
}
