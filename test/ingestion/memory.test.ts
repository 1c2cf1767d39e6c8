/** What collectors remember: kept between runs, and no more than a convenience. */
import { expect, test } from 'vitest'
import { sourceMemory } from '../../src/ingestion/memory.ts'
import { MemoryDisk } from '../support/memory-files.ts'

test('facts are there for the next run, the last one of a key counts', async () => {
  const disk = new MemoryDisk()
  await disk.files().makeDirectory('/s')
  const first = sourceMemory(disk.files(), '/s', 'x')
  expect(await first.get('a')).toBeUndefined()
  await first.set('a', '1')
  await first.set('a', '1')
  await first.set('b', '2')
  await first.set('a', '3')
  const again = sourceMemory(disk.files(), '/s', 'x')
  expect([await again.get('a'), await again.get('b')]).toEqual(['3', '2'])
  expect(await sourceMemory(disk.files(), '/s', 'y').get('a')).toBeUndefined()
  expect(disk.counts.get('append')).toBe(3)
})

test('a torn line, garbage and a missing directory are no obstacle', async () => {
  const disk = new MemoryDisk()
  const files = disk.files()
  await files.makeDirectory('/s')
  await files.append('/s/x.ndjson', new TextEncoder().encode('["a","1"]\nnull\n[1,2]\n["b'))
  const memory = sourceMemory(files, '/s', 'x')
  expect([await memory.get('a'), await memory.get('b')]).toEqual(['1', undefined])
  const nowhere = sourceMemory(files, '/none', 'x')
  await nowhere.set('a', '1')
  expect(await nowhere.get('a')).toBe('1')
})
