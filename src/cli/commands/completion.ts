/** `completion`: what a shell needs to complete commands and options. */
import type { RootCommand } from '@bomb.sh/tab'
import type { Command } from 'commander'
import { LakeError } from '../../model/errors.ts'
import { EXIT } from '../exit-code.ts'

/** Prints the script that a shell loads. */
export async function completionScript(program: Command, shell: string): Promise<number> {
  const root = await rootOf(program)
  root.setup('marketlake', 'marketlake', shell)
  return EXIT.ok
}

/** Answers a script: the ways to go on after some words. */
export async function completeWords(program: Command, words: readonly string[]): Promise<number> {
  const root = await rootOf(program)
  root.parse([...words])
  return EXIT.ok
}

async function rootOf(program: Command): Promise<RootCommand> {
  try {
    const { default: tab } = await import('@bomb.sh/tab/commander')
    return tab(program, { completionCommandName: 'completion' })
  } catch (cause) {
    const message = 'completion needs the optional package @bomb.sh/tab'
    throw new LakeError('UNSUPPORTED_FEATURE', message, {
      cause,
      next: 'Install it: npm install @bomb.sh/tab.',
    })
  }
}
