/** The documents are true: links lead somewhere, commands and settings exist, the two READMEs say the same. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { buildProgram } from '../src/cli/program.ts'
import { shownConfig } from '../src/lake/config.ts'
import { VERSION } from '../src/model/version.ts'
import { localFiles } from '../src/storage/files/local.ts'

const SKIPPED = new Set(['node_modules', 'dist', 'coverage', '.git', '.venv'])
const documents = markdown('.')
const read = (path: string): string => readFileSync(path, 'utf8')
const program = buildProgram(async () => undefined)

function markdown(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name)
    if (SKIPPED.has(entry.name)) return []
    if (entry.isDirectory()) return markdown(path)
    return entry.name.endsWith('.md') ? [path] : []
  })
}

const codeBlocks = (text: string): string[] => text.match(/^```[\s\S]*?^```/gm) ?? []

describe.each(documents)('%s', (path) => {
  test('its links lead somewhere', () => {
    const targets = [...read(path).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((m) => m[1]!)
    expect(targets.filter((target) => !existsSync(join(dirname(path), target)))).toEqual([])
  })

  test('its commands exist, with their options', () => {
    const shell = codeBlocks(read(path)).filter((block) => block.startsWith('```sh'))
    const lines = shell.flatMap((block) => block.match(/^(?:npx )?marketlake .*/gm) ?? [])
    expect(lines.filter((line) => !isKnown(line.replace(/^npx /, '')))).toEqual([])
  })

  test('the source files it names exist', () => {
    const named = [...read(path).matchAll(/`((?:src|test|bench|docs|examples)\/[\w./-]+)`/g)]
    expect(named.map((m) => m[1]!).filter((name) => !existsSync(name))).toEqual([])
  })
})

/** A line of shell names a command (or a sub-command) and only options it has. */
function isKnown(line: string): boolean {
  const words = line
    .replace(/\s#.*$/, '')
    .replaceAll(/"[^"]*"|'[^']*'/g, 'X')
    .split(/\s+/)
    .slice(1)
  let command: Command = program
  for (const word of words.filter((w) => !w.startsWith('-'))) {
    const next = command.commands.find((c) => c.name() === word)
    if (!next) break
    command = next
  }
  if (command === program) return words[0]?.startsWith('--') ?? false
  const known = new Set([...command.options, ...program.options].flatMap((o) => [o.short, o.long]))
  return words.filter((w) => w.startsWith('-')).every((word) => known.has(word.split('=')[0]))
}

test('the READMEs have the same commands, code and figures', () => {
  expect(codeBlocks(read('README.zh-CN.md'))).toEqual(codeBlocks(read('README.md')))
  const headings = (text: string): number => (text.match(/^#+ /gm) ?? []).length
  const rows = (text: string): number => (text.match(/^\|/gm) ?? []).length
  for (const count of [headings, rows]) {
    expect(count(read('README.zh-CN.md'))).toBe(count(read('README.md')))
  }
})

test('the first screen of the README runs it and tests it', () => {
  const first = read('README.md').split('\n').slice(0, 12).join('\n')
  expect(first).toContain('npm ci && npm run demo')
  expect(first).toContain('npm ci && npm test')
})

test('docs/sql.md is what the views and macros are', () => {
  const args = ['scripts/document-sql.mjs', '--check']
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})

test('settings in the README exist', async () => {
  const known = (await shownConfig(localFiles, 'nowhere', {})).map((entry) => entry.key)
  const toml = codeBlocks(read('README.md')).find((block) => block.startsWith('```toml'))!
  let section = ''
  for (const line of toml.split('\n')) {
    section = /^\[(.+)\]/.exec(line)?.[1] ?? section
    const key = /^(\w+) =/.exec(line)?.[1]
    if (key !== undefined) expect(known).toContain(`${section}.${key}`)
  }
})

test('every command has a description, and stands in the changelog or the README', () => {
  const text = read('CHANGELOG.md') + read('README.md')
  for (const command of program.commands) {
    expect(command.description(), command.name()).not.toBe('')
    expect(text, `${command.name()} is documented`).toContain(command.name())
  }
})

test('every folder of the source stands in the map', () => {
  const map = read('ARCHITECTURE.md')
  const folders = readdirSync('src', { withFileTypes: true }).flatMap((entry) => {
    if (!entry.isDirectory()) return []
    if (entry.name !== 'storage') return [`src/${entry.name}`]
    return readdirSync('src/storage').map((name) => `src/storage/${name}`)
  })
  expect(folders.filter((folder) => !map.includes(`\`${folder}\``))).toEqual([])
})

test('the version in commits is that of the package', () => {
  expect((JSON.parse(read('package.json')) as { version: string }).version).toBe(VERSION)
})
