const MAX_LENGTH = 2048;

/**
 * Whether a text is a URL at a provider that changes a proxy's exit address when it is requested: HTTP or HTTPS, printable,
 * at most 2048 characters, with a path or query, since a bare address may be another proxy.
 */
export function isRotateUrl(text: string): boolean {
  if (text.length > MAX_LENGTH || /[\p{C}\s"<>\\^`{|}]/u.test(text) || !URL.canParse(text)) return false;
  const { protocol, pathname, search, hostname } = new URL(text);
  return /^https?:$/.test(protocol) && hostname !== '' && (pathname !== '/' || search !== '');
}
