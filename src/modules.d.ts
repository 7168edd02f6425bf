/** Text that the build inlines (raw-text.config.ts). */
declare module '*.sql' {
  const text: string;
  export default text;
}
declare module '*.worker.js' {
  const source: string;
  export default source;
}
