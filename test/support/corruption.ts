/** Random damage to one file of a lake, and what the lake says of it: the same rows, an error, or a problem by name. */
import { chmodSync, copyFileSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { LakeError, openLake } from '../../src/index.ts'

/** What became of one damaged lake. `silent` must never be. */
export type Verdict = 'same' | 'refused' | 'found' | 'silent' | 'crashed'

/** Files that may be damaged: records, actions, commits, checkpoints, the hint, and data. */
export function targets(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter(
      (entry) => entry.isFile() && /\.(?:json|ndjson|parquet)$|_last_checkpoint$/.test(entry.name),
    )
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes('leases'))
    .toSorted()
}

/** Damages a content: a bit, some bytes, a cut, a part twice, zeros, or another's end. */
export function damage(content: Buffer, chance: () => number): Buffer {
  const at = Math.floor(chance() * content.length)
  const kinds = [
    () => patched(content, at, Buffer.from([content[at]! ^ (1 << Math.floor(chance() * 8))])),
    () => patched(content, at, Buffer.from([content[at]! ^ (1 << Math.floor(chance() * 8))])),
    () =>
      patched(
        content,
        at,
        Buffer.from(Array.from({ length: 8 }, () => Math.floor(chance() * 256))),
      ),
    () => content.subarray(0, at),
    () => Buffer.concat([content.subarray(0, at), content.subarray(Math.max(0, at - 40))]),
    () => patched(content, at, Buffer.alloc(Math.min(64, content.length - at))),
    () => Buffer.concat([content, content.subarray(at)]),
    // The end of a file is where a Parquet footer stands.
    () =>
      patched(content, content.length - 1 - (at % 64), Buffer.from([Math.floor(chance() * 256)])),
  ]
  return kinds[Math.floor(chance() * kinds.length)]!()
}

function patched(content: Buffer, at: number, bytes: Buffer): Buffer {
  const copy = Buffer.from(content)
  bytes.copy(copy, Math.max(0, at))
  return copy
}

/** Damages one file in place, looks at the lake, and puts the file back. */
export async function tryDamage(
  root: string,
  path: string,
  chance: () => number,
  expected: string,
): Promise<Verdict> {
  const file = join(root, path)
  const content = readFileSync(file)
  const broken = damage(content, chance)
  if (broken.equals(content)) return 'same'
  const backup = `${root}.backup`
  copyFileSync(file, backup)
  chmodSync(file, 0o644)
  writeFileSync(file, broken)
  try {
    return await look(root, expected)
  } finally {
    copyFileSync(backup, file)
    rmSync(backup, { force: true })
  }
}

/** All rows of all tables at the head, as text. */
export async function contentOf(root: string): Promise<string> {
  const lake = await openLake(root, { maintenance: false, lease: false })
  try {
    const engine = await lake.analysis({ lease: false, threads: 1 })
    try {
      const names = Object.keys((await lake.head()).tables).toSorted()
      const parts = names.map((name) => engine.query(`SELECT * FROM ${name} ORDER BY ALL`))
      const values = JSON.stringify(await Promise.all(parts), (_, v: unknown) =>
        typeof v === 'bigint' ? String(v) : v,
      )
      return `${names.join()} ${values}`
    } finally {
      await engine.close()
    }
  } finally {
    await lake.close()
  }
}

/** With `verify --deep` asked first, a wrong answer is no silent one. */
async function look(root: string, expected: string): Promise<Verdict> {
  try {
    const lake = await openLake(root, { maintenance: false, lease: false })
    try {
      if ((await lake.verify({ deep: true })).length > 0) return 'found'
    } finally {
      await lake.close()
    }
    return (await contentOf(root)) === expected ? 'same' : 'silent'
  } catch (error) {
    return error instanceof LakeError ? 'refused' : 'crashed'
  }
}
