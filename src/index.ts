/** proxyvault: the durable, encrypted proxy pool for Node and Electron. */
export * from './database/index.ts';
export * from './database/repositories/index.ts';
export * from './database/services/index.ts';
export * from './errors.ts';
export * from './lists/index.ts';
export * from './rotation/index.ts';
export * from './transfer/index.ts';
