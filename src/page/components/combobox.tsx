/** A text field with suggestions that come as one types. Knows keys and roles (WAI-ARIA: combobox); does not know what is suggested. */
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { useAnswer, useSettled } from '../app/answer.js';
import { texts } from '../texts/index.js';
import { Failure } from './states.js';
import { moved } from './virtual-list.js';

interface ComboboxProps<Suggestion> {
  readonly label: string;
  readonly placeholder?: string;
  readonly button: string;
  /** Whether any text may be chosen, not only a suggestion. */
  readonly isFree: boolean;
  readonly maxLength: number;
  readonly suggest: (text: string, signal: AbortSignal) => Promise<readonly Suggestion[]>;
  readonly textOf: (suggestion: Suggestion) => string;
  readonly row: (suggestion: Suggestion) => ComponentChildren;
  /** Why a suggestion cannot be chosen, said beside it; null where it can. */
  readonly whyNot?: (suggestion: Suggestion) => string | null;
  readonly onChoice: (suggestion: Suggestion | string) => void;
}

export function Combobox<Suggestion>(props: ComboboxProps<Suggestion>) {
  const { label, placeholder, button, isFree, maxLength, suggest, textOf, row, whyNot = () => null, onChoice } = props;
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState('');
  const [isOpen, setOpen] = useState(false);
  const [active, setActive] = useState<number | null>(null);
  const settled = useSettled(text);
  const { answer, error, isLoading, again } = useAnswer(isOpen ? settled : null, async (signal) =>
    suggest(settled.trim(), signal),
  );
  const isFresh = settled === text && !isLoading; // what is suggested for other text must not be chosen for this one
  const suggestions = isOpen && isFresh ? (answer ?? []) : [];
  const [isWaiting, setWaiting] = useState(false);
  const choose = (chosen: Suggestion | string): void => {
    if (typeof chosen !== 'string' && whyNot(chosen) !== null) return;
    setText('');
    setOpen(false);
    setActive(null);
    onChoice(chosen);
  };
  const chooseText = (): void => {
    const first = suggestions[active ?? 0];
    if (text.trim() === '' && !isOpen) input.current?.focus();
    else if (isFree && text.trim() !== '') choose(text.trim());
    else if (!isFree && first !== undefined) choose(first);
    else if (!isFree && !(isOpen && isFresh)) {
      setOpen(true);
      setWaiting(true);
    }
  };
  useEffect(() => {
    if (!isWaiting || !isFresh) return;
    setWaiting(false);
    if (suggestions[0] !== undefined) choose(suggestions[0]);
  }, [isWaiting, isFresh]);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && isOpen) {
      setOpen(false);
      setActive(null);
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      setOpen(true);
      setActive(moved(event.key, active, suggestions.length));
    } else if (event.key === 'Enter' && active !== null && suggestions[active] !== undefined) {
      event.preventDefault();
      choose(suggestions[active]);
    }
  };
  return (
    <form
      class="combobox"
      onSubmit={(event) => {
        event.preventDefault();
        chooseText();
      }}
      onPointerDown={(event) => event.target !== input.current && event.preventDefault()} // the field keeps the keyboard
      onFocusOut={({ currentTarget, relatedTarget }) => {
        if (!currentTarget.contains(relatedTarget as Node | null)) setOpen(false); // its button needs what is suggested
      }}
    >
      <label for={`${id}-input`}>{label}</label>
      <div class="field">
        <input
          ref={input}
          id={`${id}-input`}
          type="text"
          dir="auto"
          role="combobox"
          list={undefined}
          autocomplete="off"
          spellcheck={false}
          aria-expanded={suggestions.length > 0}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={active === null ? undefined : `${id}-${active}`}
          placeholder={placeholder}
          maxLength={maxLength}
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setOpen(true);
            setActive(null);
          }}
          onFocus={() => setOpen(true)}
          onKeyDown={onKeyDown}
        />
        <button type="submit">{button}</button>
      </div>
      <ul id={`${id}-list`} class="suggestions" role="listbox" aria-label={label} hidden={suggestions.length === 0}>
        {suggestions.map((suggestion, i) => (
          <li
            key={textOf(suggestion)}
            id={`${id}-${i}`}
            role="option"
            aria-selected={i === active}
            aria-disabled={whyNot(suggestion) !== null}
            onClick={() => choose(suggestion)}
          >
            {row(suggestion)}
            {whyNot(suggestion) !== null && <small>{whyNot(suggestion)}</small>}
          </li>
        ))}
      </ul>
      {isOpen && error !== null && <Failure error={error} again={again} />}
      {isOpen && isFresh && settled !== '' && answer?.length === 0 && !isFree && (
        <p class="quiet" role="status">
          {texts.states.nothingFound}
        </p>
      )}
    </form>
  );
}
