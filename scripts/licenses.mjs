/** The licences of packages that are part of a bundle. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Names, versions and texts, from the chunks that the bundler wrote. */
export function licenses(output) {
  const modules = output.flatMap((chunk) => chunk.moduleIds ?? [])
  const folders = modules.map((id) => /.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0])
  const texts = [...new Set(folders)]
    .filter(Boolean)
    .toSorted()
    .map((folder) => {
      const { name, version, license } = JSON.parse(
        readFileSync(join(folder, 'package.json'), 'utf8'),
      )
      const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name))
      const text = file === undefined ? license : readFileSync(join(folder, file), 'utf8')
      return `${name} ${version}\n\n${text.trim()}\n`
    })
  return texts.join('\n---\n\n')
}
