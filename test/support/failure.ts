/** The error of work that must fail. */
import { LakeError } from '../../src/model/errors.ts'

/** The error of ours that some work ends with; anything else fails the test. */
export async function failure(work: Promise<unknown>): Promise<LakeError> {
  const error: unknown = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  )
  if (error instanceof LakeError) return error
  throw new Error(`no error of ours: ${String(error)}`)
}
