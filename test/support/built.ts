/**
 * Tests load the modules of the build, which `build.ts` has just made of the same sources, as Node itself loads them:
 * to transform each source and to call it through the runner took a quarter of the time. Sources with a rule left out,
 * and those of the command, of which the build is one bundle, are still transformed.
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Plugin } from 'vitest/config'

const ROOT = resolve(import.meta.dirname, '../..')
const [SOURCES, BUILD] = [join(ROOT, 'src/'), join(ROOT, 'dist/')]

/** The source of a module of the build; the path itself, if it is none. */
export function sourceOf(path: string): string {
  return path.startsWith(BUILD) ? `${SOURCES}${path.slice(BUILD.length, -'.js'.length)}.ts` : path
}

/** The module that was built of a source; undefined, if there is none. */
function moduleOf(path: string): string | undefined {
  if (!path.startsWith(SOURCES) || !path.endsWith('.ts')) return undefined
  const module = `${BUILD}${path.slice(SOURCES.length, -'.ts'.length)}.js`
  return existsSync(module) ? module : undefined
}

/** The plugin that does it. */
export function built(): Plugin {
  return {
    name: 'built',
    enforce: 'pre',
    async resolveId(source, importer, options) {
      if (!importer || !source.startsWith('.')) return undefined
      const found = await this.resolve(source, importer, { ...options, skipSelf: true })
      if (!found) return undefined
      const module = moduleOf(found.id)
      return module === undefined ? found : { id: module, external: true }
    },
  }
}
