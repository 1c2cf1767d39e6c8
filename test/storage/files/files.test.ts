/** The contract of the I/O seam, held by the local disk and by the double that the model tests use. */
import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Files } from '../../../src/storage/files/files.ts'
import { errnoOf, ioError } from '../../../src/storage/files/io-error.ts'
import { localFiles } from '../../../src/storage/files/local.ts'
import { probeLinks } from '../../../src/storage/files/probe.ts'
import { publish, replace } from '../../../src/storage/files/publish.ts'
import { MemoryDisk } from '../../support/memory-files.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (content: Uint8Array | undefined): string | undefined =>
  content && new TextDecoder().decode(content)

async function errno(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => 'no error',
    (error: unknown) => errnoOf(error),
  )
}

const WORLDS: readonly (readonly [string, () => Promise<{ files: Files; root: string }>])[] = [
  ['local disk', () => Promise.resolve({ files: localFiles, root: temporaryDirectory() })],
  [
    'memory',
    async () => {
      const files = new MemoryDisk().files()
      await files.makeDirectory('/d')
      return { files, root: '/d' }
    },
  ],
]

test('an error of the system that Node has no name for is told by its name', () => {
  const nameless = (errno: number): Error =>
    Object.assign(new Error('x'), { code: `Unknown system error ${String(errno)}`, errno })
  expect(errnoOf(nameless(-122))).toBe('EDQUOT')
  expect(errnoOf(nameless(-116))).toBe('ESTALE')
  expect(ioError('read', '/x', nameless(-122)).next).toMatch(/quota/)
})

describe.each(WORLDS)('%s', (_name, open) => {
  let files: Files
  let root: string
  beforeEach(async () => ({ files, root } = await open()))

  test('what is absent is undefined, empty or false, never an error', async () => {
    expect(await files.list(join(root, 'nothing'))).toEqual([])
    expect(await files.read(join(root, 'nothing'))).toBeUndefined()
    expect(await files.stat(join(root, 'nothing'))).toBeUndefined()
    expect(await files.remove(join(root, 'nothing'))).toBe(false)
  })

  test('create refuses a name that is taken and keeps what is there', async () => {
    await files.create(join(root, 'a'), bytes('one'))
    expect(await errno(files.create(join(root, 'a'), bytes('two')))).toBe('EEXIST')
    expect(text(await files.read(join(root, 'a')))).toBe('one')
    expect(await files.list(root)).toEqual(['a'])
  })

  test('of two links to one name one wins; the own name again is no conflict', async () => {
    await files.create(join(root, 'a'), bytes('a'))
    await files.create(join(root, 'b'), bytes('b'))
    expect(await files.link(join(root, 'a'), join(root, 'c'))).toBe('linked')
    expect(await files.link(join(root, 'b'), join(root, 'c'))).toBe('exists')
    expect(await files.link(join(root, 'a'), join(root, 'c'))).toBe('linked')
    expect(text(await files.read(join(root, 'c')))).toBe('a')
  })

  test('rename replaces, remove removes, directories are made once', async () => {
    await files.create(join(root, 'a'), bytes('a'))
    await files.create(join(root, 'b'), bytes('b'))
    await files.rename(join(root, 'a'), join(root, 'b'))
    expect(text(await files.read(join(root, 'b')))).toBe('a')
    expect(await files.makeDirectory(join(root, 'sub'))).toBe('made')
    expect(await files.makeDirectory(join(root, 'sub'))).toBe('exists')
    await files.create(join(root, 'sub', 'x'), bytes('x'))
    expect(await errno(files.remove(join(root, 'sub')))).toBe('ENOTEMPTY')
    expect(await files.remove(join(root, 'sub', 'x'))).toBe(true)
    expect(await files.remove(join(root, 'sub'))).toBe(true)
    expect(await files.stat(join(root, 'sub'))).toBeUndefined()
  })

  test('seal and hash tell size, ends and SHA-256', async () => {
    await files.append(join(root, 'a'), bytes('PAR1…'))
    await files.append(join(root, 'a'), bytes('tailtail'))
    const sealed = await files.seal(join(root, 'a'))
    expect(sealed.sizeBytes).toBe(15)
    expect(text(sealed.head)).toBe('PAR1')
    expect(text(sealed.tail)).toBe('tailtail')
    expect(sealed.sha256).toBe(await files.hash(join(root, 'a')))
    expect(sealed.sha256).toMatch(/^[0-9a-f]{64}$/)
  })

  test('publish leaves the file and no temporary one; a second one is told so', async () => {
    expect(await publish(files, root, 'n', 'one')).toBe('published')
    expect(await publish(files, root, 'n', 'two')).toBe('exists')
    expect(await files.list(root)).toEqual(['n'])
    expect(text(await files.read(join(root, 'n')))).toBe('one')
    await replace(files, root, 'n', 'three')
    expect(text(await files.read(join(root, 'n')))).toBe('three')
    expect(await files.list(root)).toEqual(['n'])
  })

  test('34, 70: the probe accepts a disk with hard links and refuses others by name', async () => {
    await probeLinks(files, root)
    expect(await files.list(root)).toEqual([])
    const replacing: Files = { ...files, link: () => Promise.resolve('linked') }
    await expect(probeLinks(replacing, root)).rejects.toMatchObject({
      code: 'UNSUPPORTED_FILE_SYSTEM',
    })
    const none: Files = {
      ...files,
      link: () => Promise.reject(Object.assign(new Error('no links'), { code: 'EPERM' })),
    }
    await expect(probeLinks(none, root)).rejects.toMatchObject({ code: 'UNSUPPORTED_FILE_SYSTEM' })
    expect(await files.list(root)).toEqual([])
  })
})

describe('local disk', () => {
  test('9: a symbolic link or a directory is never sealed, and links are not followed', async () => {
    const root = temporaryDirectory()
    writeFileSync(join(root, 'real'), 'x')
    symlinkSync(join(root, 'real'), join(root, 'link'))
    mkdirSync(join(root, 'sub'))
    expect((await localFiles.stat(join(root, 'link')))!.kind).toBe('other')
    await expect(localFiles.seal(join(root, 'link'))).rejects.toMatchObject({ code: 'IO_ERROR' })
    await expect(localFiles.seal(join(root, 'sub'))).rejects.toMatchObject({ code: 'IO_ERROR' })
    expect(await localFiles.remove(join(root, 'link'))).toBe(true)
    expect(existsSync(join(root, 'real'))).toBe(true)
  })

  test('what was created or sealed is read-only', async () => {
    const root = temporaryDirectory()
    await localFiles.create(join(root, 'a'), bytes('a'))
    writeFileSync(join(root, 'b'), 'b')
    chmodSync(join(root, 'b'), 0o644)
    await localFiles.seal(join(root, 'b'))
    expect(statSync(join(root, 'a')).mode & 0o222).toBe(0)
    expect(statSync(join(root, 'b')).mode & 0o222).toBe(0)
  })

  test('a failure says which operation failed on which path, and what to do', async () => {
    const root = temporaryDirectory()
    const path = join(root, 'no', 'where')
    await expect(localFiles.create(path, bytes('x'))).rejects.toMatchObject({
      code: 'IO_ERROR',
      details: { operation: 'create', path, errno: 'ENOENT' },
    })
  })
})

describe('the double after a power cut', () => {
  test('a name is lost unless its directory was synced; a synced one never is', async () => {
    const disk = new MemoryDisk()
    const files = disk.files()
    await files.makeDirectory('/d')
    await files.sync('/')
    await files.create('/d/a', bytes('a'))
    await files.sync('/d')
    await files.create('/d/b', bytes('b'))
    disk.writeUnsynced('/d/c', bytes('c'))
    await files.sync('/d')
    disk.crash(() => false)
    expect(await files.list('/d')).toEqual(['a', 'b', 'c'])
    expect(text(await files.read('/d/c'))).toBe('')
    await files.create('/d/x', bytes('x'))
    disk.crash(() => false)
    expect(await files.list('/d')).toEqual(['a', 'b', 'c'])
  })
})
