/** Data files that are damaged, exchanged, missing or no files at all (rows 1 to 9 of docs/bad-input.md). */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { LakeError, field, openLake, schemaOf } from '../../src/index.ts'
import { newLake } from '../support/lake.ts'
import { asNobody } from '../support/nobody.ts'
import { temporaryDirectory } from '../support/temporary.ts'

let template: string
beforeAll(async () => {
  const lake = await newLake()
  await lake.write('rows', async (tx) => {
    for (const name of ['a', 'b']) {
      const schema = schemaOf([field('k', 'long'), field('v', 'double'), field('t', 'string')])
      await tx.ensure({ name, schema, key: ['k'] })
      const rows = Array.from({ length: 500 }, (_, k) => ({ k, v: k / 3, t: `text ${String(k)}` }))
      await tx.upsert(name, rows)
    }
  })
  await lake.close()
  template = lake.root
})

/** A copy of the lake whose one file of table `a` was treated. */
function damaged(treat: (path: string, content: Buffer) => void): { root: string; name: string } {
  const root = join(temporaryDirectory(), 'lake')
  cpSync(template, root, { recursive: true })
  const name = readdirSync(join(root, 'warehouse', 'a')).find((n) => n.endsWith('.parquet'))!
  const path = join(root, 'warehouse', 'a', name)
  const content = readFileSync(path)
  chmodSync(path, 0o644)
  treat(path, content)
  return { root, name }
}

async function look(root: string): Promise<{
  readonly rows: unknown
  readonly problems: readonly string[]
  readonly doctor: boolean
  readonly other: unknown
}> {
  const lake = await openLake(root, { maintenance: false, lease: false })
  const engine = await lake.analysis({ lease: false })
  try {
    const rows = await engine
      .query('SELECT count(t)::INTEGER AS n, sum(v) AS s FROM a')
      .catch((error: unknown) => error)
    const problems = (await lake.verify({ deep: true })).map((p) => `${p.table} ${p.file}`)
    const { ok } = await lake.doctor()
    const [other] = await engine.query('SELECT count(*)::INTEGER AS n FROM b')
    return { rows, problems, doctor: ok, other }
  } finally {
    await engine.close()
    await lake.close()
  }
}

const replace = (path: string, content: Uint8Array | string): void => writeFileSync(path, content)
const patched = (content: Buffer, at: number, bytes: Buffer): Buffer => {
  const copy = Buffer.from(content)
  bytes.copy(copy, at < 0 ? copy.length + at : at)
  return copy
}
const length = (n: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(n)
  return bytes
}

/** What was done, whether a plain query must fail (else only `verify --deep` and `doctor` can tell). */
const CASES: readonly (readonly [string, boolean, (path: string, content: Buffer) => void])[] = [
  ['1: cut in half', true, (path, content) => truncateSync(path, content.length >> 1)],
  ['1: one byte short', true, (path, content) => truncateSync(path, content.length - 1)],
  ['1: empty', true, (path) => truncateSync(path, 0)],
  ['1: zeros', true, (path, content) => replace(path, Buffer.alloc(content.length))],
  ['1: only magic', true, (path) => replace(path, 'PAR1PAR1')],
  ['1: a page of HTML', true, (path) => replace(path, '<!doctype html><title>502</title>')],
  ['2: footer length 0', true, (path, content) => replace(path, patched(content, -8, length(0)))],
  [
    '2: footer length 2^31-1',
    true,
    (path, content) => replace(path, patched(content, -8, length(0x7fffffff))),
  ],
  [
    '2: footer length negative',
    true,
    (path, content) => replace(path, patched(content, -8, length(-5))),
  ],
  [
    '3: one flipped bit in the data',
    false,
    (path, content) =>
      replace(
        path,
        patched(content, content.length >> 2, Buffer.from([content[content.length >> 2]! ^ 8])),
      ),
  ],
  [
    '4: one flipped bit in the footer',
    false,
    (path, content) =>
      replace(path, patched(content, -60, Buffer.from([content[content.length - 60]! ^ 1]))),
  ],
  [
    '5: junk behind the footer',
    true,
    (path, content) => replace(path, Buffer.concat([content, Buffer.from('junk')])),
  ],
  ['6: another file of the same size', false, (path, content) => replace(path, sameSize(content))],
  ['7: missing', true, (path) => rmSync(path)],
  ['9: a directory', true, (path) => (rmSync(path), mkdirSync(path))],
  [
    '9: a symbolic link to nothing',
    true,
    (path) => (rmSync(path), symlinkSync('/nowhere/x', path)),
  ],
]

/** The other table's file, made as long by a comment in front of nothing: a Parquet file that is not ours. */
function sameSize(content: Buffer): Buffer {
  return patched(content, 4, content.subarray(5, 6))
}

describe('a data file', () => {
  test.each(CASES)('%s', async (_name, loud, treat) => {
    const { root, name } = damaged(treat)
    const { rows, problems, doctor, other } = await look(root)
    expect(problems).toEqual([`a ${name}`])
    expect(doctor).toBe(false)
    expect(other).toEqual({ n: 500 })
    if (!loud) return
    expect(rows).toBeInstanceOf(LakeError)
    expect((rows as LakeError).message).toContain(name)
  })

  test.skipIf(process.platform === 'win32')('8: that may not be read', async () => {
    const { root, name } = damaged((path) => chmodSync(path, 0))
    const { rows, problems, other } = await asNobody([dirname(root), root], () => look(root))
    expect(rows).toMatchObject({ code: 'IO_ERROR', details: { errno: 'EACCES' } })
    expect((rows as LakeError).message).toContain(name)
    expect(problems).toEqual([`a ${name}`])
    expect(other).toEqual({ n: 500 })
  })

  test.skipIf(process.platform === 'win32')('9: a pipe does not hang', async () => {
    const { root, name } = damaged((path) => {
      rmSync(path)
      execFileSync('mkfifo', [path])
    })
    const lake = await openLake(root, { maintenance: false, lease: false })
    expect((await lake.verify({ deep: true })).map((p) => p.file)).toEqual([name])
    await lake.close()
  })
})
