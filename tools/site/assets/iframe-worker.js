// Browsers start no worker for a page that was opened from disk: there, the search's worker runs in a hidden frame.
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      this.waiting = [];
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.addEventListener("load", () => this.run(new URL(url, location.href)), { once: true });
      (document.body ?? document.documentElement).append(this.frame);
    }

    run(url) {
      const inner = this.frame.contentWindow;
      // As from a worker, an answer comes later, never within the call that asks, and is a copy.
      inner.postMessage = (data) => setTimeout(() => this.onmessage?.({ data: structuredClone(data) }));
      const script = inner.document.createElement("script");
      script.src = url;
      script.addEventListener("load", () => {
        for (const data of this.waiting) inner.onmessage({ data });
        // A copy: the search parses the query in the message itself, and the field would show the rest of it.
        this.postMessage = (data) => inner.onmessage({ data: structuredClone(data) });
      });
      script.addEventListener("error", (event) => this.onerror?.(event));
      inner.document.head.append(script);
    }

    postMessage(data) {
      this.waiting.push(structuredClone(data));
    }

    terminate() {
      this.frame.remove();
    }
  };
}
