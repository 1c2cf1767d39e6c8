/** Random damage to one file of a lake, and what the lake says of it: the same rows, an error, or a problem by name. */
import { chmodSync, copyFileSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { LakeError, openLake } from '../../src/index.ts'
import type { Lake } from '../../src/index.ts'

/** What became of one damaged lake. The last three must never be. */
export type Verdict = 'same' | 'refused' | 'found' | 'silent' | 'crashed' | 'hung'

/** Longer than any look takes, also on a machine that does much else. */
const LOOK_MAX_MS = 120_000

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

/** Damages a content: a bit, some bytes, a digit, a cut, a part twice, zeros, or another's end. */
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
    () => otherDigit(content, at, chance),
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

/** The next digit becomes another: what it damages most often still parses. */
function otherDigit(content: Buffer, at: number, chance: () => number): Buffer {
  for (let i = at; i < content.length; i++) {
    const byte = content[i]!
    if (byte < 0x30 || byte > 0x39) continue
    return patched(
      content,
      i,
      Buffer.from([0x30 + ((byte - 0x2f + Math.floor(chance() * 9)) % 10)]),
    )
  }
  return content
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

/** What `verify --deep` says. */
export async function problemsOf(root: string): ReturnType<Lake['verify']> {
  const lake = await openLake(root, { maintenance: false, lease: false })
  try {
    return await lake.verify({ deep: true })
  } finally {
    await lake.close()
  }
}

/** What strategies see: the tables of the head and of an older version, whole and by the filters that skip files. */
export async function contentOf(root: string): Promise<string> {
  const lake = await openLake(root, { maintenance: false, lease: false })
  try {
    const head = await lake.head()
    const older = Math.max(1, head.version - OLDER)
    return [await versionOf(lake, head.version), await versionOf(lake, older)].join('\n')
  } finally {
    await lake.close()
  }
}

/** So many versions before the head is one that a checkpoint and commits after it tell. */
const OLDER = 7
const FILTERS = ['k = 5', 'k BETWEEN 70 AND 90', 'v > 40.2', "t = 'text 20'", 'v IS NULL']

async function versionOf(lake: Lake, version: number): Promise<string> {
  const engine = await lake.analysis({ lease: false, threads: 1, at: version })
  try {
    const names = Object.keys((await lake.record(version)).tables).toSorted()
    const parts = names.flatMap((name) => [
      `SELECT * FROM ${name} ORDER BY ALL`,
      ...FILTERS.map((where) => `SELECT * FROM ${name} WHERE ${where} ORDER BY ALL`),
    ])
    const rows = await Promise.all(parts.map((sql) => engine.query(sql)))
    const values = JSON.stringify(rows, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v))
    return `${names.join()} ${values}`
  } finally {
    await engine.close()
  }
}

async function look(root: string, expected: string): Promise<Verdict> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Verdict>((resolve) => {
    timer = setTimeout(() => resolve('hung'), LOOK_MAX_MS)
  })
  try {
    return await Promise.race([verdictOn(root, expected), late])
  } finally {
    clearTimeout(timer)
  }
}

/** With `verify --deep` asked first, a wrong answer is no silent one. */
async function verdictOn(root: string, expected: string): Promise<Verdict> {
  try {
    if ((await problemsOf(root)).length > 0) return 'found'
    return (await contentOf(root)) === expected ? 'same' : 'silent'
  } catch (error) {
    if (error instanceof LakeError) return 'refused'
    process.stderr.write(`${String((error as Error).stack)}\n`)
    return 'crashed'
  }
}
