/** Runs before each test file. Files share a process and its modules, so a hook of another module would be the first file's alone. */
import { afterAll } from 'vitest'
import { endFile } from './after-file.ts'

afterAll(endFile)
