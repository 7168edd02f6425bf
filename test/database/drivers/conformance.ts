import { describe } from 'vitest';
import { describeChanges } from './conformance/changes.ts';
import { describeEngine } from './conformance/engine.ts';
import { describeErrors } from './conformance/errors.ts';
import type { Open } from './conformance/fixture.ts';
import { describeInterleaving } from './conformance/interleaving.ts';
import { describeExclusion, describeLocks } from './conformance/locks.ts';
import { describeParameters } from './conformance/parameters.ts';
import { describeReplay } from './conformance/replay.ts';
import { describeStatements } from './conformance/statements.ts';
import { describeStreams } from './conformance/streams.ts';
import { describeTransactions } from './conformance/transactions.ts';

/** What src/database/drivers/driver.ts promises of every driver and engine. */
export function describeDriver(open: Open): void {
  describe('its transactions', () => describeTransactions(open));
  describe('its statements', () => describeStatements(open));
  describe('its streams', () => describeStreams(open));
  describe('a parameter', () => describeParameters(open));
  describe('an error', () => describeErrors(open));
  describe('a lock', () => describeLocks(open));
  describe('its engine', () => describeEngine(open));
  describe('its changes', () => describeChanges(open));
}

/** What it promises of those that answer with promises, and so have several transactions open at a time. */
export function describeConcurrency(open: Open): void {
  describe('a transaction among others', () => describeInterleaving(open));
  describe('a transaction in the way of another', () => describeReplay(open));
  describe('a lock among others', () => describeExclusion(open));
}
