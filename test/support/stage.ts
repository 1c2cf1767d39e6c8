/** Engines that move on at the worst moment. */
import { vi } from 'vitest'
import { Stage } from '../../src/analysis/stage.ts'

/** The next statement of any engine is ready to start, and only then its engine moves to the head, or `move` is done. */
export function moveBeforeStart(move?: () => Promise<unknown>): void {
  // oxlint-disable-next-line typescript/unbound-method -- called with its object below
  const { acquire } = Stage.prototype
  const spy = vi.spyOn(Stage.prototype, 'acquire')
  spy.mockImplementationOnce(async function (this: Stage, ...given) {
    spy.mockRestore()
    const held = await acquire.apply(this, given)
    await (move ? move() : this.advance())
    return held
  })
}
