/** A share, drawn as long as it is. For eyes alone: what it says is said beside it. */
export function Bar({ share }: { readonly share: number }) {
  return (
    <span class="bar" aria-hidden="true">
      <span style={{ inlineSize: `${100 * Math.min(1, Math.max(0, share))}%` }} />
    </span>
  );
}
