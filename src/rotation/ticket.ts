/** What a ticket says of its lease, so that a process which does not know the lease may report it. */
export interface Ticket {
  proxyId: string;
  /** Milliseconds since the epoch. */
  acquiredAt: number;
  domain: string | null;
  session: string | null;
}

/** How long a ticket may be used: a day. */
const LASTS = 86_400_000;
/** The longest text that is looked at: the longest domain and session fit. */
const LONGEST = 4096;

/** The id of a lease, and what it is for: `ID.TICKET`, of characters that a header and a command line may have. */
export function ticketFor(leaseId: string, { proxyId, acquiredAt, domain, session }: Ticket): string {
  const text = JSON.stringify([proxyId, acquiredAt, domain, session]);
  return `${leaseId}.${Buffer.from(text).toString('base64url')}`;
}

/** The id of the lease in a ticket; any other text is an id itself. */
export function leaseIdOf(text: string): string {
  const dot = text.indexOf('.');
  return dot === -1 ? text : text.slice(0, dot);
}

/** What a ticket says; null for any other text, and for one that is too old. */
export function readTicket(text: string, now: number): Ticket | null {
  const dot = text.indexOf('.');
  if (dot === -1 || text.length > LONGEST) return null;
  const [proxyId, acquiredAt, domain, session] = fieldsOf(text.slice(dot + 1));
  if (
    typeof proxyId !== 'string' ||
    typeof acquiredAt !== 'number' ||
    !isOptional(domain) ||
    !isOptional(session)
  )
    return null;
  // A clock may have been set back.
  return Math.abs(now - acquiredAt) <= LASTS ? { proxyId, acquiredAt, domain, session } : null;
}

function fieldsOf(encoded: string): unknown[] {
  try {
    const fields: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString());
    return Array.isArray(fields) ? fields : [];
  } catch {
    return [];
  }
}

function isOptional(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}
