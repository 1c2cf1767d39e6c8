/** What a torture run found. */
export interface TortureResult {
  readonly violations: readonly Readonly<Record<string, unknown>>[]
  readonly counts: Readonly<Record<'acknowledged' | 'reads' | 'kills', number>>
  readonly seed: number
  readonly directory: string
}

export function torture(options?: Readonly<Record<string, unknown>>): Promise<TortureResult>
