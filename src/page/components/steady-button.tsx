/** A button that may have nothing to do for a while and keeps the keyboard meanwhile: one that is disabled lets it fall. */
import type { ComponentChildren } from 'preact';

interface SteadyButtonProps {
  /** Whether there is nothing for it to do. */
  readonly isIdle: boolean;
  readonly onClick: () => void;
  /** What it is called, where what it shows is no word. */
  readonly label?: string;
  readonly children: ComponentChildren;
}

export function SteadyButton({ isIdle, onClick, label, children }: SteadyButtonProps) {
  return (
    <button type="button" aria-label={label} aria-disabled={isIdle} onClick={() => !isIdle && onClick()}>
      {children}
    </button>
  );
}
