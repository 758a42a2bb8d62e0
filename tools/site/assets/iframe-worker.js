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
      // As from a worker, an answer comes later, never within the call that asks.
      inner.postMessage = (data) => setTimeout(() => this.onmessage?.({ data }));
      const script = inner.document.createElement("script");
      script.src = url;
      script.addEventListener("load", () => {
        this.postMessage = (data) => inner.onmessage({ data });
        for (const data of this.waiting) this.postMessage(data);
      });
      script.addEventListener("error", (event) => this.onerror?.(event));
      inner.document.head.append(script);
    }

    postMessage(data) {
      this.waiting.push(data);
    }

    terminate() {
      this.frame.remove();
    }
  };
}
