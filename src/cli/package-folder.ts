/** The folder of the package: two levels above this file, and above the built file that it becomes part of. */
export const PACKAGE_FOLDER = new URL('../../', import.meta.url);
