/** Text in SQL, as DuckDB reads it. Knows how literals and names are written; does not know statements. */

/** A text as an SQL literal. No statement can hold the character 0 itself. */
export function literal(text: string): string {
  const quoted = (part: string): string => `'${part.replaceAll("'", "''")}'`;
  return text.includes('\0') ? `(${text.split('\0').map(quoted).join(' || chr(0) || ')})` : quoted(text);
}

/** A name as an SQL identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
