#!/usr/bin/env node
/** The command `marketlake`. What only asks for help is answered at once; all else is loaded then. */
import module from 'node:module'
import { printHelp } from './help.ts'

// Node 22.8 and newer keep what they compiled.
const { enableCompileCache } = module as { enableCompileCache?: () => unknown }

if (!printHelp(process.argv.slice(2))) {
  enableCompileCache?.()
  void import('./run.ts').then(({ run }) => run())
}
