/** One sync of a source at a time, also on a disk that fails. */
import { expect, test } from 'vitest'
import { holdSources } from '../../src/ingestion/holder.ts'
import { failure } from '../support/failure.ts'
import { newLake } from '../support/lake.ts'
import { failure as failed } from '../support/memory-files.ts'

test('a process that let go is no holder, though its note could not be removed', async () => {
  const { store } = await newLake()
  const { files } = store
  const remove = (path: string): Promise<boolean> => Promise.reject(failed('EROFS', 'remove', path))
  const stuck = { ...store, files: { ...files, remove } }

  const first = await holdSources(stuck, ['made'])
  expect((await failure(holdSources(store, ['made']))).code).toBe('LAKE_HELD')
  await first.close()
  const second = await holdSources(store, ['made'])
  expect((await failure(holdSources(store, ['made']))).code).toBe('LAKE_HELD')
  await second.close()
  await (await holdSources(store, ['made'])).close()
})
