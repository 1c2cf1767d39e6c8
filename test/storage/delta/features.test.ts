/** What docs/delta.md says of features is what the gate does. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { unreadableFeatures, unwritableFeatures } from '../../../src/storage/delta/protocol.ts'

const metadata = {
  id: 'x',
  format: { provider: 'parquet' },
  schemaString: '{"type":"struct","fields":[]}',
  partitionColumns: [],
  configuration: {},
}
const uses: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  columnMapping: { 'delta.columnMapping.mode': 'name' },
}

const rows = [
  ...readFileSync('docs/delta.md', 'utf8').matchAll(/^\| (\w+) \| ([^|]+) \| ([^|]+) \|$/gm),
].map(([, name, read, write]) => ({ name: name!, read: read!, write: write! }))
const features = rows.filter(({ name }) => !['shape', 'feature'].includes(name))

test('the table has every feature that we know', () => {
  expect(features.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'appendOnly',
      'columnMapping',
      'deletionVectors',
      'timestampNtz',
      'v2Checkpoint',
    ]),
  )
})

test.each(features.filter(({ name }) => /^[a-z]+[A-Za-z]*$/.test(name) && name !== 'commits'))(
  '$name',
  ({ name, read, write }) => {
    const protocol = {
      minReaderVersion: 3,
      minWriterVersion: 7,
      readerFeatures: [name],
      writerFeatures: [name],
    }
    const writerOnly = { minReaderVersion: 1, minWriterVersion: 7, writerFeatures: [name] }
    const used = { ...metadata, configuration: uses[name] ?? {} }
    const bindsReaders = unreadableFeatures(protocol, used).length === 0
    expect(read.startsWith('yes')).toBe(
      bindsReaders || unreadableFeatures(writerOnly, used).length === 0,
    )
    expect(write === 'refused').toBe(unwritableFeatures(writerOnly, used).length > 0)
  },
)
