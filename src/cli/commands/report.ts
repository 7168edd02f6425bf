import { InvalidArgumentError, Option } from 'commander';

import { ProxyLeasesRepository } from '../../database/repositories/proxy-leases.repository.ts';
import { ProxyVaultError } from '../../errors.ts';
import { FAILURE_KINDS, type FailureKind } from '../../model/outcomes.ts';
import { leaseIdOf, type OutcomeReport, readTicket } from '../../rotation/index.ts';
import type { Vault } from '../../vault.ts';
import { cooldownViewer } from '../../views/cooldowns.ts';
import { proxyViewer } from '../../views/proxy.ts';
import { duration, httpStatus, milliseconds, wholeNumber } from '../arguments.ts';
import { bareCommand } from '../command.ts';
import type { CommonOptions } from '../common-options.ts';
import { PROXY_ARGUMENT } from '../meant-proxies.ts';
import { withVault } from '../open-vault.ts';
import { print, rounded } from '../output.ts';
import { lines, text } from '../terminal.ts';
import { Consequences } from './report/consequences.ts';

interface ReportOptions extends CommonOptions {
  ok?: boolean;
  /** True if no kind is given. */
  fail?: FailureKind | true;
  status?: number;
  retryAfter?: number;
  latency?: number;
  bytes?: number;
  domain?: string;
  session?: string;
}

/** How the id of every lease begins. */
const LEASE = 'lease-';

export const reportCommand = bareCommand({
  name: 'report',
  purpose: 'say how a request through a lease or a proxy went',
  example: 'proxyvault report gate.example.com:1080 --fail blocked --status 429 --domain shop.example',
  notes: `A failure is the fault of the proxy if it is connect, tls, auth or protocol, and may be that of the target if it is timeout, status,
blocked or reset. Without --ok and --fail the status decides; --fail without a kind takes it from the status, else it is reset.`,
  takes: (command) =>
    command
      .argument(
        '<id>',
        `the lease that next gave or the gateway's X-Proxyvault-Lease, or a proxy: ${PROXY_ARGUMENT}`,
      )
      .addOption(new Option('--ok', 'it worked').conflicts('fail'))
      .addOption(
        new Option('--fail [kind]', 'it did not, and how').choices(FAILURE_KINDS).argParser(failureKind),
      )
      .option('--status <status>', 'the status of the answer, from 100 to 999', httpStatus)
      .option('--retry-after <time>', 'how long the target asks not to be asked again, such as 30s', duration)
      .option('--latency <time>', 'how long it took, such as 230ms or 1.5s, or in milliseconds', milliseconds)
      .option('--bytes <n>', 'what went through the proxy, in both directions', wholeNumber)
      .option('--domain <domain>', 'of a proxy: the host that was asked, or its URL')
      .option('--session <name>', 'of a proxy: the session of the request'),
  async act(options: ReportOptions, command, typed: string) {
    if (!options.ok && options.fail === undefined && options.status === undefined)
      command.error('error: say --ok, --fail or --status');
    const isLease = typed.startsWith(LEASE);
    if (isLease && (options.domain ?? options.session) !== undefined)
      command.error('error: a lease knows its domain and session: leave --domain and --session out');
    await withVault(options, (vault) => report(vault, options, typed, isLease));
  },
});

function report(vault: Vault, options: ReportOptions, typed: string, isLease: boolean): void {
  const consequences = new Consequences(vault);
  const outcome = outcomeOf(options);
  const { domain, session } = options;
  const id = isLease ? reportLease(vault, typed, outcome) : vault.proxies.resolve(typed).id;
  if (!isLease) vault.pool.report(id, { ...outcome, domain, session });
  const proxy = vault.proxies.resolve(id);
  const view = { ...proxyViewer(vault, {})(proxy), cooldowns: cooldownViewer(vault)(id) };
  const { name, status, totalRequests, successRate, failureCount } = view;
  print(options.json, view, () =>
    lines([
      text`${name}: ${status}, ${totalRequests} requests, ${rounded(successRate)} % success, ${failureCount} failures in a row.`,
      ...consequences.inWords(),
    ]),
  );
}

/** Reports a lease by its id or ticket, and gives the id of its proxy. @throws NOT_FOUND. */
function reportLease(vault: Vault, id: string, outcome: OutcomeReport): string {
  const lease =
    new ProxyLeasesRepository(vault.database).find(leaseIdOf(id)) ?? readTicket(id, vault.database.clock());
  if (lease === null || vault.proxies.findById(lease.proxyId) === null) throw noLease();
  try {
    vault.pool.reportLease(id, outcome);
  } catch (error) {
    if (error instanceof ProxyVaultError && error.code === 'NOT_FOUND') throw noLease();
    throw error;
  }
  // So that its request is among those that are shown.
  vault.pool.flush();
  return lease.proxyId;
}

function noLease(): ProxyVaultError {
  return new ProxyVaultError(
    'NOT_FOUND',
    'There is no such lease: it was reported before, its proxy was removed, or its id is incomplete. Nothing was recorded. Copy the whole id that `proxyvault next` printed, or the whole X-Proxyvault-Lease of the gateway, or report the proxy by its own id.',
  );
}

function outcomeOf({ ok, fail, status, retryAfter, latency, bytes }: ReportOptions): OutcomeReport {
  return {
    success: ok === true ? true : fail === undefined ? undefined : false,
    kind: typeof fail === 'string' ? fail : undefined,
    status,
    retryAfterMs: retryAfter,
    latencyMs: latency,
    bytes,
  };
}

function failureKind(text: string): FailureKind {
  const kind = FAILURE_KINDS.find((each) => each === text);
  if (kind !== undefined) return kind;
  throw new InvalidArgumentError(
    `It must be one of ${FAILURE_KINDS.join(', ')}, or nothing. The lease or proxy comes before --fail.`,
  );
}
