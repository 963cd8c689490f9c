/** Asks for a key of the server. It stays in this tab and goes to this server only. */
import { useState } from 'preact/hooks';
import { texts } from '../texts/index.js';
import { hasKey, useKey } from './server.js';

export function KeyForm({ why }: { readonly why: string }) {
  const [key, setKey] = useState('');
  return (
    <form
      class="key-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (key.trim() !== '') useKey(key.trim());
      }}
    >
      <h1>{texts.key.title}</h1>
      <p>{hasKey() ? texts.key.refused : texts.key.explanation}</p>
      <p class="quiet" dir="auto">
        {why}
      </p>
      <label>
        {texts.key.label}
        <input
          type="password"
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
