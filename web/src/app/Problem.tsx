/** What went wrong in the page itself. */

export function Problem({ text, close }: { text: string; close: () => void }) {
  const [first, ...rest] = text.split("\n");
  return (
    <div class="problem" role="alert">
      <details>
        <summary>This page ran into an error: {first}</summary>
        <pre>{rest.join("\n")}</pre>
      </details>
      <button aria-label="Dismiss the error" onClick={close}>
        ×
      </button>
    </div>
  );
}
