import { FAILURE_KINDS, type FailureKind, kindOfStatus } from '../model/outcomes.ts';
import type { HealthSettings } from '../model/pool-options.ts';
import { assertOptions, invalidInput } from '../model/validation.ts';

/** How a request went that worked. */
export interface SuccessReport {
  /** Milliseconds from the request to its answer. */
  latencyMs?: number | undefined;
  /** What went through the proxy, in both directions. */
  bytes?: number | undefined;
}

/** How a request failed. Give `kind`, or the `status` of the answer, or both. */
export interface FailureReport extends SuccessReport {
  kind?: FailureKind | undefined;
  /** The status of the answer, from 100 to 999. */
  status?: number | undefined;
  /** How long the target asks not to be asked again: its `Retry-After`, in milliseconds. */
  retryAfterMs?: number | undefined;
}

/** What is reported of a request: with `success`, or with the `status` of the answer, which then says whether it worked. */
export interface OutcomeReport extends FailureReport {
  success?: boolean | undefined;
}

/** An outcome that is valid. `kind` is null for a success. */
export interface Outcome {
  kind: FailureKind | null;
  status: number | undefined;
  retryAfterMs: number | undefined;
  latencyMs: number | undefined;
  bytes: number;
}

/** A success of which no more is known. */
export const SUCCESS: Outcome = {
  kind: null,
  status: undefined,
  retryAfterMs: undefined,
  latencyMs: undefined,
  bytes: 0,
};

const SUCCESS_FIELDS = ['latencyMs', 'bytes'] as const;
const FAILURE_FIELDS = [...SUCCESS_FIELDS, 'kind', 'status', 'retryAfterMs'] as const;
const REPORT_FIELDS = [...FAILURE_FIELDS, 'success'] as const;

/** @throws INVALID_INPUT. */
export function successFrom(success: SuccessReport | undefined): Outcome {
  if (success === undefined) return SUCCESS;
  const { latencyMs, bytes } = assertOptions(success, SUCCESS_FIELDS, 'fields of a success');
  return {
    kind: null,
    status: undefined,
    retryAfterMs: undefined,
    latencyMs: measured(latencyMs, 'latencyMs'),
    bytes: measured(bytes, 'bytes') ?? 0,
  };
}

/** @throws INVALID_INPUT, also if neither a kind nor a status is given. */
export function failureFrom(failure: FailureReport, { statuses }: HealthSettings): Outcome {
  const given = assertOptions(failure, FAILURE_FIELDS, 'fields of a failure');
  const status = statusOf(given.status);
  if (given.kind === undefined && status === undefined)
    throw invalidInput(
      `Say how it failed: kind must be one of ${FAILURE_KINDS.join(', ')}, or give the status.`,
    );
  // Who says that it failed knows more than a table.
  return outcomeOf(given, kindOf(given.kind) ?? kindIn(statuses, status as number) ?? 'status');
}

/**
 * @param otherwise the kind of a failure of which nothing else is said.
 * @throws INVALID_INPUT, also if neither `success`, a kind nor a status is given.
 */
export function outcomeFrom(
  report: OutcomeReport,
  { statuses }: HealthSettings,
  otherwise: FailureKind,
): Outcome {
  const given = assertOptions(report, REPORT_FIELDS, 'fields of a report');
  const status = statusOf(given.status);
  const kind = kindOf(given.kind);
  const { success } = given;
  if (success !== undefined && typeof success !== 'boolean')
    throw invalidInput('success must be true or false.');
  if (success === undefined && status === undefined && kind === null)
    throw invalidInput('Say how it went: give success, kind or status.');
  if (success === true && kind !== null)
    throw invalidInput('A success has no kind of failure: leave kind out.');
  if (success === true) return outcomeOf(given, null);
  const byStatus = status === undefined ? null : kindIn(statuses, status);
  return outcomeOf(given, kind ?? byStatus ?? (success === false ? otherwise : null));
}

/** What a status says by the configuration: the kind of a failure, or null if it is a good one. */
export function kindIn(statuses: HealthSettings['statuses'], status: number): FailureKind | null {
  const kind = statuses[String(status)] ?? statuses[`${Math.floor(status / 100)}xx`];
  if (kind === undefined) return kindOfStatus(status);
  return kind === 'ok' ? null : kind;
}

function outcomeOf(
  { status, retryAfterMs, latencyMs, bytes }: FailureReport,
  kind: FailureKind | null,
): Outcome {
  return {
    kind,
    status,
    retryAfterMs: measured(retryAfterMs, 'retryAfterMs'),
    latencyMs: measured(latencyMs, 'latencyMs'),
    bytes: measured(bytes, 'bytes') ?? 0,
  };
}

function kindOf(kind: FailureKind | undefined): FailureKind | null {
  if (kind === undefined) return null;
  if (FAILURE_KINDS.includes(kind)) return kind;
  throw invalidInput(`kind must be one of ${FAILURE_KINDS.join(', ')}.`);
}

function statusOf(status: number | undefined): number | undefined {
  if (status === undefined || (Number.isInteger(status) && status >= 100 && status <= 999)) return status;
  throw invalidInput('status must be a whole number from 100 to 999.');
}

/** Plain JavaScript may give null for what was not measured, as the database takes it. */
function measured(value: number | null | undefined, name: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER) return value;
  throw invalidInput(`${name} must be a number from 0.`);
}
