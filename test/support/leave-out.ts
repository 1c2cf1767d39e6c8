/**
 * Source with one rule left out: `import('./protocol.ts?leave-out=NAME')` gives the module, and all it imports, a graph of
 * their own, in which the text of one rule is replaced.
 */
import type { Plugin } from 'vitest/config'
import { RULES } from './rules.ts'

const QUERY = /\?leave-out=(.*)$/
/** Where rules stand, and who imports from there; what lies below is shared. */
const COPIED = /\/(?:src\/storage\/(?:lake|delta)|test\/support)\//

/** The plugin that does it. */
export function leaveOut(): Plugin {
  return {
    name: 'leave-out',
    enforce: 'pre',
    async resolveId(source, importer) {
      const query = importer && QUERY.exec(importer)?.[0]
      if (!query || !source.startsWith('.')) return undefined
      const found = await this.resolve(source, importer.replace(QUERY, ''), { skipSelf: true })
      return found && COPIED.test(found.id) ? { ...found, id: `${found.id}${query}` } : found
    },
    transform(code, id) {
      const name = QUERY.exec(id)?.[1]
      const rule = name === undefined ? undefined : RULES[decodeURIComponent(name)]
      if (!rule || !id.replace(QUERY, '').endsWith(`/src/storage/${rule.file}`)) return undefined
      const after = code.replaceAll(rule.text, rule.instead)
      if (after === code) throw new Error(`${name}: its text is not in ${rule.file}`)
      return after
    },
  }
}
