/** Asks for a key of the server. It stays in this tab and goes to this server only. */
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { texts } from '../texts/index.js';
import { type KeyWish, useKey } from './server.js';

export function KeyForm({ wish }: { readonly wish: KeyWish }) {
  const [key, setKey] = useState('');
  const field = useRef<HTMLInputElement>(null);
  const told = useId();
  useEffect(() => {
    field.current?.focus();
    field.current?.select(); // what was refused is written over
  }, [wish]);
  return (
    <form
      class="key-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (key.trim() !== '') useKey(key.trim());
      }}
    >
      <h1>{texts.key.title}</h1>
      <div id={told}>
        <p>{wish.isRefused ? texts.key.refused : texts.key.explanation}</p>
        <p class="quiet" dir="auto">
          {wish.why}
        </p>
      </div>
      <label>
        {texts.key.label}
        <input
          ref={field}
          type="password"
          aria-describedby={told}
          autocomplete="off"
          spellcheck={false}
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="strong">
        {texts.key.use}
      </button>
    </form>
  );
}
