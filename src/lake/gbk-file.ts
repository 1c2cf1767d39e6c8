/** CSV files in GBK, which is what spreadsheets in China write: read through copies in UTF-8. */
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { LakeError, messageOf } from '../model/errors.ts'
import type { Files } from '../storage/files/files.ts'
import { removeTree } from '../storage/files/remove-tree.ts'

/** A larger file is not turned into another encoding in memory. */
const BYTES_MAX = 512 << 20

/** True if an error says that a file is no UTF-8. */
export function isEncodingError(error: unknown): boolean {
  return /not utf-8 encoded|invalid unicode/i.test(messageOf(error))
}

/** Gives `use` copies of the files in UTF-8 and removes them afterwards. What is neither UTF-8 nor GBK is refused. */
export async function withUtf8Copies<T>(
  files: Files,
  paths: readonly string[],
  use: (copies: readonly string[]) => Promise<T>,
): Promise<T> {
  const directory = join(tmpdir(), `marketlake-utf8-${randomUUID()}`)
  await files.makeDirectory(directory)
  try {
    const copies: string[] = []
    for (const [i, path] of paths.entries()) {
      const copy = join(directory, `${i}-${basename(path)}`)
      await files.create(copy, new TextEncoder().encode(await textOf(files, path)))
      copies.push(copy)
    }
    return await use(copies)
  } finally {
    await removeTree(files, directory)
  }
}

async function textOf(files: Files, path: string): Promise<string> {
  const { sizeBytes = 0 } = (await files.stat(path)) ?? {}
  const content = sizeBytes <= BYTES_MAX ? await files.read(path) : undefined
  if (content && isDamagedUtf8(content)) throw damaged(path)
  for (const encoding of content ? ['utf-8', 'gb18030'] : []) {
    try {
      return new TextDecoder(encoding, { fatal: true }).decode(content)
    } catch {
      // The next encoding may fit.
    }
  }
  throw new LakeError('CORRUPT_FILE', `${path} is neither UTF-8 nor GBK, or too large to tell`, {
    details: { path, sizeBytes },
    next: 'Save it as UTF-8.',
  })
}

/**
 * True for UTF-8 with a few bytes that are wrong. Most of it would pass for GBK as well, as other words. What is GBK
 * has hardly a character that could be UTF-8's three bytes of a Chinese one.
 */
function isDamagedUtf8(content: Uint8Array): boolean {
  const text = new TextDecoder('utf-8').decode(content)
  const wrong = text.match(/\uFFFD/g)?.length ?? 0
  return wrong > 0 && wrong * 2 <= (text.match(/[\u0800-\uFFFC]/g)?.length ?? 0)
}

function damaged(path: string): LakeError {
  return new LakeError('CORRUPT_FILE', `${path} is UTF-8 with bytes that do not belong there`, {
    details: { path },
    next: 'It was cut or damaged: fetch or export it again.',
  })
}
