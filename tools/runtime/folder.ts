/** Where `npm run runtime` builds without a folder, and where tests look for it. */
export const DEFAULT_DIR = '/var/lib/coracle-runtime2';
