/** Column mapping: tables whose files know their columns by other names or by ids. */
import { describe, expect, test } from 'vitest'
import { prune } from '../../../src/storage/delta/prune.ts'
import { loadSnapshot } from '../../../src/storage/delta/index.ts'
import { localFiles } from '../../../src/storage/files/local.ts'
import { useLogReader } from '../../support/log-reader.ts'
import { addAction, logTable, metadataAction, writeCommit } from '../../support/log-table.ts'

const { session, open, rowsOf, dataFile } = useLogReader()

describe('column mapping', () => {
  const mapped = (name: string, id: number) => ({
    'delta.columnMapping.id': id,
    'delta.columnMapping.physicalName': name,
  })
  const columns = [
    ['价 格', 'double', mapped('col-1', 1)],
    [
      'n',
      {
        type: 'struct',
        fields: [{ name: 'in ner', type: 'long', nullable: true, metadata: mapped('col-3', 3) }],
      },
      mapped('col-2', 2),
    ],
    ['p', 'string', mapped('col-4', 4)],
  ] as const
  const table = (mode: string): string =>
    logTable([
      [
        { protocol: { minReaderVersion: 2, minWriterVersion: 5 } },
        metadataAction(columns, {
          partitionColumns: ['p'],
          configuration: { 'delta.columnMapping.mode': mode },
        }),
      ],
    ])
  const add = addAction('f.parquet', {
    partitionValues: { 'col-4': 'x' },
    stats: '{"numRecords":1,"minValues":{"col-1":1.5},"maxValues":{"col-1":1.5},"nullCount":{}}',
  })
  const row = [{ '价 格': 1.5, n: { 'in ner': 7n }, p: 'x' }]

  test('by name, nested names and partition values included', async () => {
    const directory = table('name')
    await dataFile(directory, 'f.parquet', `SELECT {'col-3': 7} AS "col-2", 1.5::DOUBLE AS "col-1"`)
    writeCommit(directory, 1, [add])
    expect(await rowsOf(directory)).toEqual(row)
    const snapshot = (await loadSnapshot(localFiles, directory))!
    const live = (min: number, max: number): number =>
      prune(snapshot.files.values(), snapshot.schema, [{ column: '价 格', min, max }]).length
    expect([live(1, 2), live(3, 4)]).toEqual([1, 0])
  })

  test('by id, where names and ids of the file agree; else refused', async () => {
    const directory = table('id')
    const copy = (ids: string): Promise<number> =>
      session().run(
        `COPY (SELECT 1.5::DOUBLE AS "col-1", {'col-3': 7} AS "col-2") TO '${directory}/f.parquet'
         (FORMAT parquet, FIELD_IDS ${ids})`,
      )
    writeCommit(directory, 1, [add])
    await copy(`{'col-1': 1, 'col-2': {__duckdb_field_id: 2, 'col-3': 3}}`)
    expect(await rowsOf(directory)).toEqual(row)
    for (const ids of [`{'col-1': 9, 'col-2': {__duckdb_field_id: 2}}`, `{'col-2': 1}`]) {
      await copy(ids)
      await expect(rowsOf(directory)).rejects.toThrow(/columnMapping.*field id/)
    }
  })

  test('a table of it is not written', async () => {
    const opened = await open(table('name'))
    await expect(opened.append([{ p: 'x' }])).rejects.toMatchObject({
      details: { features: ['columnMapping'] },
    })
  })
})
