/**
 * Source with one rule left out: `import('./protocol.ts?leave-out=NAME')` gives the module, and all between it and the
 * file of the rule, a graph of their own, in which the text of the rule is replaced. What does not import that file,
 * directly or through others, is shared.
 */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Plugin } from 'vitest/config'
import { sourceOf } from './built.ts'
import { RULES } from './rules.ts'

const QUERY = /\?leave-out=(.*)$/
/** Imports of values; those of types alone are gone at run time. */
const IMPORT = /(?:^(?:import|export) (?!type )[^']*from |\bimport\()'(\.[^']+\.ts)'/gm

/** The sources that a source imports. */
function importsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8')
  return [...text.matchAll(IMPORT)].map(([, source]) => join(dirname(path), source!))
}

/** Tells of a path whether it is the file of a rule, or imports it through whatever modules. */
function reaching(file: string): (path: string) => boolean {
  const known = new Map<string, boolean>()
  const reaches = (path: string): boolean => {
    const before = known.get(path)
    if (before !== undefined) return before
    // Two modules that import each other do not reach it through one another alone.
    known.set(path, false)
    const found = path.endsWith(`/src/storage/${file}`) || importsOf(path).some(reaches)
    known.set(path, found)
    return found
  }
  return reaches
}

const reachers = new Map<string, (path: string) => boolean>()

function reaches(query: string, path: string): boolean {
  const file = ruleOf(query)?.file
  if (file === undefined || !path.endsWith('.ts')) return false
  if (!reachers.has(file)) reachers.set(file, reaching(file))
  return reachers.get(file)!(path)
}

function ruleOf(id: string): (typeof RULES)[string] | undefined {
  const name = QUERY.exec(id)?.[1]
  return name === undefined ? undefined : RULES[decodeURIComponent(name)]
}

/** The plugin that does it. */
export function leaveOut(): Plugin {
  return {
    name: 'leave-out',
    enforce: 'pre',
    async resolveId(source, importer) {
      const query = importer && QUERY.exec(importer)?.[0]
      if (!query || !source.startsWith('.')) return undefined
      const found = await this.resolve(source, importer.replace(QUERY, ''), { skipSelf: true })
      const id = found && sourceOf(found.id)
      return id && reaches(query, id) ? { id: `${id}${query}` } : found
    },
    transform(code, id) {
      const rule = ruleOf(id)
      if (!rule || !id.replace(QUERY, '').endsWith(`/src/storage/${rule.file}`)) return undefined
      const after = code.replaceAll(rule.text, rule.instead)
      if (after === code) throw new Error(`${id}: the text of the rule is not in ${rule.file}`)
      return after
    },
  }
}
