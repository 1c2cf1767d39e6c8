/** Maintenance beside everything else: folding, vacuum, tags, publication and checks. */

const TABLES = ['events', 'facts', 'counters', 'notes', 'bank_a', 'bank_b', 'prices']

/** Runs until it is told to stop. */
export async function runMaintenance(task) {
  const { api, chance, stopped, root, effects, log } = task
  const lake = await api.openLake(root, { effects, maintenance: false, onWarning: () => undefined })
  const works = {
    optimize: () => lake.optimize(TABLES[Math.floor(chance() * TABLES.length)]),
    vacuum: () => lake.vacuum({ apply: true, lite: chance() < 0.3 }),
    views: () => lake.publishViews(),
    tag: () => lake.tag(`T${Math.floor(chance() * 3)}`),
    untag: () => lake.deleteTag(`T${Math.floor(chance() * 3)}`),
    verify: () => verify(lake, log, chance() < 0.5),
  }
  const all = [
    'optimize',
    'optimize',
    'vacuum',
    'vacuum',
    'vacuum',
    'views',
    'tag',
    'untag',
    'verify',
  ]
  const names = task.onlyVacuum ? ['vacuum'] : all
  while (!stopped.yes) {
    const name = names[Math.floor(chance() * names.length)]
    try {
      const result = await works[name]()
      log({ e: 'maintained', name, files: result?.files, kind: result?.kind })
    } catch (error) {
      const { code, details, message } = error
      log({ e: 'maintenance-error', name, code, errno: details?.errno, message })
    }
    await new Promise((resolve) => setTimeout(resolve, 50 + chance() * 400))
  }
  await lake.close()
}

/** A commit that is not in its Delta log yet is no problem while others write. */
async function verify(lake, log, deep) {
  const problems = await lake.verify({ deep })
  const real = problems.filter((p) => !p.problem.includes('not in the Delta log yet'))
  if (real.length > 0) log({ e: 'violation', law: 'I1-I8 verify', deep, problems: real })
}
