import { expect, it } from 'vitest';
import {
  childrenOf,
  type Declaration,
  declarationsOf,
  docOf,
  ENTRY_POINTS,
  exportsOf,
  isNode,
  isPublic,
  type Node,
  nameOf,
} from './support/public-api.ts';

/**
 * Every name that a program can import, values first. To add one, export it from the `index.ts` of its entry point, name it on a
 * page, give it an example, and add it here. To take one away breaks programs: say so in the changelog.
 */
const NAMES: Record<string, { values: string; types: string }> = {
  proxyvault: {
    values: `
      DatabaseManager EncryptedCredentialsRepository EncryptionService MigrationRunner Pool
      ProxyRepository ProxyTagsRepository ProxyUsageStatsRepository ProxyVaultError RotationConfigRepository
      RotationEventsRepository RotationRulesRepository StickySessionRepository exportProxies hashPassword
      importProxies initDatabase openVault restoreVault`,
    types: `
      AcquireRequest CoolOptions FailureReport Lease LeaseDispatcher LeaseRequest OutcomeReport PoolEvents PoolOptions PoolStats SuccessReport
      ChosenProxy ErrorCode ExplainedRule Explanation ExportOptions FilterStep ImportListOptions ImportProgress ImportResult LeftOut NamedList NotePlace
      PoolRequest ProxyConfig ProxyInput ProxyProtocol ProxyReport ProxyStatus Refusal Removal RunnerUp TracedCondition
      ClientIdentity CloseOptions ConnectionOptions Gateway GatewayLogger GatewayOptions GatewayStats GatewayUser ListenOptions Listening RequestLog Tried
      RestoreVaultOptions RestoreVaultReport RevealedProxy Vault VaultOptions VaultStats`,
  },
  'proxyvault/database': {
    values: `
      DatabaseManager MigrationRunner PROXY_PROTOCOLS PROXY_SORT_FIELDS PROXY_STATUSES ProxyVaultError initDatabase
      migrationsFromFolder restoreDatabase`,
    types: `
      DomainProxyMappingUpdate InlineMigration InlineMigrations MigrationFolder ProxySort
      ProxySortField ProxyUpdate RotationConfigUpdate RotationRuleUpdate SqlParameter SqlParameters VacuumResult
      AppliedMigration BackupOptions BackupProgress CheckOptions CheckReport ConditionLogic
      CredentialCheck DatabaseOptions DatabaseStats DomainProxyMapping Durability EncryptedData
      ErrorCode ErrorDetails Geolocation Login MalformedRow Migration MigrationRunnerOptions
      MigrationSource MigrationStep ProxyAddress ProxyConfig ProxyInput ProxyProtocol ProxyStatus
      ProxyUsage PruneOptions Pruned RestoreOptions RestoreReport RotationConfig RotationEvent RotationReason
      RotationRule RotationStrategy RuleAction RuleCondition RuleField RuleOperator ScheduleWindow
      DurabilityOptions HealthOptions HistoryOptions LimitOptions ScheduleWindowInput SchemaComparison SqlLogger StrategyOptions StrategyOptionsInput Weekday`,
  },
  'proxyvault/database/repositories': {
    values: `
      EncryptedCredentialsRepository ProxyRepository ProxyTagsRepository ProxyUsageStatsRepository
      RotationConfigRepository RotationEventsRepository RotationRulesRepository
      StickySessionRepository`,
    types: `
      AddressedProxy DailyUsage DayRange EventFilter EventListing EventPage HourlyEvents ImportOptions ImportSummary LeavingCount LeavingProxy Outcome
      ProxyFilter ProxyListing ProxyPage ReadRulesOptions RotationEventInput RotationRuleInput
      ProxyUsageTotals StatusCounts TimeRange UsageListing UsageSort
      UsageSortField UsageTotals`,
  },
  'proxyvault/database/services': {
    values: `
      EncryptionService`,
    types: `
      CredentialCipher CredentialContent CredentialEncryption CredentialFailure DataKeyStatus
      EncryptedData EncryptionOptions KeyRotationOptions KeyRotationProgress KeyRotationReport
      KeyStatus OpenOptions OpenedCredential RecoveryOptions VerificationOptions VerificationReport`,
  },
  'proxyvault/driver': {
    values: `
      OpenTransaction settled step`,
    types: `
      BackgroundReads CheckpointResult Clock Damage Driver Engine ExecuteResult LockName Mode OpenScope Params
      Result Row SchemaObject Scope Session Sizes Slicing SqlValue SqliteDriver SqliteEngine Steps TransactionOptions
      Stream`,
  },
  'proxyvault/keys': {
    values: `
      chooseKeyFile chooseKeySource environmentKey explicitKey keyringFile readPassphraseFile
      systemdCredential`,
    types: `
      Environment KeyMaterial KeySource KeySourceOptions KeyringOptions KeyringProtection Passphrase
      SafeStorage`,
  },
  'proxyvault/lists': {
    values: `
      EXPORT_FORMATS LIST_FORMATS ListFormatter MASK fillTemplate formatAddress formatProxyUrl
      parseProxyLine parseProxyList placeholdersOf`,
    types: `
      ExportFormat FormatOptions Formatted Geolocation LineVerdict ListFormat ListSource ListVerdict
      ListedProxy LostPart ParseOptions ProxyProtocol RefusalCode TemplateValues`,
  },
};

it('the package has these entry points', () => {
  expect([...ENTRY_POINTS.keys()]).toEqual(Object.keys(NAMES));
});

it.each(Object.entries(NAMES))('%s has these names', async (entry, { values, types }) => {
  const library: object = await import(entry);
  const found = Object.keys(library).sort();
  const declared = [...exportsOf(entry).keys()].sort();
  expect(found).toEqual(values.trim().split(/\s+/).sort());
  expect(declared.filter((name) => !found.includes(name))).toEqual(types.trim().split(/\s+/).sort());
});

const keyOf = ({ file, name }: Declaration): string => `${file} ${name}`;

/** The interfaces and classes in the public parts of some declarations that no entry point exports. */
function unnameable(
  starts: readonly Declaration[],
  { exported, constructible }: { exported: ReadonlySet<string>; constructible: ReadonlySet<string> },
): Set<string> {
  const missing = new Set<string>();
  const seen = new Set<string>();
  const visitName = (from: Declaration, name: string, isBase: boolean): void => {
    for (const declaration of declarationsOf(from.file, name) ?? []) {
      // A program's own declarations spell an alias out, and never name a base.
      const mustBeNamed = !isBase && declaration.node.type !== 'TSTypeAliasDeclaration';
      if (mustBeNamed && !exported.has(keyOf(declaration))) missing.add(`${from.name} → ${declaration.name}`);
      visit(declaration);
    }
  };
  const walk = (from: Declaration, node: Node): void => {
    if (!isPublic(node) || /@internal\b/.test(docOf(from, node))) return;
    // The static side of a class that is exported as a type only cannot be reached.
    if (isStatic(node) && !constructible.has(from.name)) return;
    if (node.type === 'TSIndexedAccessType') return;
    if (node.type === 'TSTypeReference') visitName(from, nameOf(node.typeName), false);
    if (node.type === 'TSInterfaceHeritage') visitName(from, nameOf(node.expression), true);
    if (isNode(node.superClass)) visitName(from, nameOf(node.superClass), true);
    for (const child of childrenOf(node)) if (child.type !== 'TSClassImplements') walk(from, child);
  };
  const visit = (declaration: Declaration): void => {
    if (seen.has(keyOf(declaration))) return;
    seen.add(keyOf(declaration));
    walk(declaration, declaration.node);
  };
  starts.forEach(visit);
  return missing;
}

function isStatic(member: Node): boolean {
  return member.static === true || member.kind === 'constructor';
}

it('a program can name every type that it is given', async () => {
  const all = [...ENTRY_POINTS.keys()].flatMap((entry) => [...exportsOf(entry).values()].flat());
  expect(all.length).toBeGreaterThan(150);
  const libraries = await Promise.all(
    [...ENTRY_POINTS.keys()].map((entry): Promise<object> => import(entry)),
  );
  const constructible = new Set(libraries.flatMap(Object.keys));
  expect([...unnameable(all, { exported: new Set(all.map(keyOf)), constructible })]).toEqual([]);
});
