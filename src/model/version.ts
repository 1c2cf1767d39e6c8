/** The version of this package, as it stands in commits; a test holds it equal to package.json. */

/** The version of this package. */
export const VERSION = '0.1.0'
