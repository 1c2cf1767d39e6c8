/** A table of results, printed and kept in bench/README.md between two marks. */
import { readFileSync, writeFileSync } from 'node:fs'

const readme = new URL('../README.md', import.meta.url)

/** A Markdown table; the first column is text, the others are numbers. */
export function markdown(head, rows) {
  return [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')
}

/** Puts a text between the marks of a section; the section must be there. */
export function writeSection(name, text) {
  const [start, end] = [`<!-- ${name}: start -->`, `<!-- ${name}: end -->`]
  const old = readFileSync(readme, 'utf8')
  if (!old.includes(start) || !old.includes(end)) throw new Error(`no section ${name} in README.md`)
  const [before, after] = [old.slice(0, old.indexOf(start)), old.slice(old.indexOf(end))]
  writeFileSync(readme, `${before}${start}\n\n${text}\n\n${after}`)
}
