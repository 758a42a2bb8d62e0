"use strict";
/* Keeps a page up to date without losing the place of its reader; asks before actions; keys. */
(() => {
  const main = () => document.querySelector("main");
  const base = document.documentElement.dataset.base || "";
  const status = document.getElementById("status");
  let source = null;
  let inUtc = localStorage.getItem("stockyard.zone") === "utc";

  /* Times, in the zone of the viewer. */
  const formats = new Map();
  const written = (text, kind) => {
    const moment = new Date(text);
    if (Number.isNaN(moment.getTime())) return text;
    if (inUtc) return text.replace("T", " ").replace(kind === "exact" ? "Z" : /\.\d+Z$/, "") + " UTC";
    if (!formats.has(kind)) {
      formats.set(kind, new Intl.DateTimeFormat(undefined, {
        year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
        fractionalSecondDigits: kind === "exact" ? 3 : undefined,
      }));
    }
    return formats.get(kind).format(moment);
  };
  const localise = (root) => {
    for (const each of root.querySelectorAll("time[data-time]")) {
      each.textContent = written(each.dateTime, each.dataset.time);
      each.title = each.dateTime;
    }
  };

  /* Makes an element like another one, and leaves alone what is the same: focus, selection, scroll, ticks. */
  const keyOf = (node) => (node.nodeType === 1 ? node.id || node.dataset.key || "" : "");
  const alike = (one, other) =>
    one.nodeType === other.nodeType && one.nodeName === other.nodeName && keyOf(one) === keyOf(other);
  const morph = (from, to) => {
    if (from.isEqualNode(to)) return;
    if (from.nodeType !== 1) {
      if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
      return;
    }
    const isField = from.matches("input, textarea, select, details, dialog");
    for (const { name } of [...from.attributes]) {
      if (!to.hasAttribute(name) && !(isField && (name === "open" || name === "checked"))) from.removeAttribute(name);
    }
    for (const { name, value } of to.attributes) {
      if (from.getAttribute(name) !== value && !(isField && name === "value")) from.setAttribute(name, value);
    }
    if (from.matches("textarea, select")) return;
    morphChildren(from, to);
  };
  const morphChildren = (from, to) => {
    const keyed = new Map();
    for (const each of from.childNodes) if (keyOf(each)) keyed.set(keyOf(each), each);
    let place = from.firstChild;
    for (const wanted of [...to.childNodes]) {
      const key = keyOf(wanted);
      let found = key ? keyed.get(key) : null;
      if (!key) {
        found = place;
        while (found && keyOf(found)) found = found.nextSibling;
        if (found && !alike(found, wanted)) found = null;
      }
      if (found && alike(found, wanted)) {
        if (found !== place) from.insertBefore(found, place);
        else place = place.nextSibling;
        keyed.delete(key);
        morph(found, wanted);
      } else {
        from.insertBefore(wanted, place);
      }
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  };

  /* What the server sends while the page is seen. */
  const show = (state, text) => {
    status.dataset.state = state;
    status.lastElementChild.textContent = text;
    status.title = text;
  };
  const place = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    localise(template.content);
    const fresh = template.content.firstElementChild;
    const live = document.getElementById("live");
    if (!fresh || !live) return;
    const old = document.getElementById(fresh.id);
    if (old && live.contains(old)) morph(old, fresh);
    else live.append(fresh);
  };
  const close = () => {
    if (source) source.close();
    source = null;
  };
  const open = () => {
    close();
    const live = document.getElementById("live");
    if (!live || !live.dataset.stream) return show("still", "not live");
    if (document.hidden) return show("still", "paused");
    source = new EventSource(live.dataset.stream);
    source.addEventListener("fragment", (event) => place(event.data));
    source.addEventListener("state", (event) => {
      show(event.data ? "trouble" : "live", event.data || "live");
      const note = document.getElementById("trouble");
      note.hidden = !event.data;
      note.textContent = event.data;
    });
    source.addEventListener("error", () => {
      show("trouble", "no connection");
      if (source && source.readyState === EventSource.CLOSED) close();
    });
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? (close(), show("still", "paused")) : open()));
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => event.persisted && open());

  /* Forms that act: asked about first, sent without losing the place. */
  const ask = (question, isDangerous) =>
    new Promise((answer) => {
      const dialog = document.getElementById("ask");
      dialog.querySelector("p").textContent = question;
      dialog.querySelector("button[value=yes]").classList.toggle("danger", isDangerous);
      dialog.returnValue = "";
      dialog.addEventListener("close", () => answer(dialog.returnValue === "yes"), { once: true });
      dialog.showModal();
    });
  const send = async (form, submitter) => {
    const fields = new URLSearchParams();
    for (const [name, value] of new FormData(form, submitter)) fields.append(name, value);
    fields.set("sure", "1");
    submitter.disabled = true;
    try {
      const response = await fetch(submitter.hasAttribute("formaction") ? submitter.formAction : form.action, {
        method: "POST", body: fields, headers: { "Content-Type": "application/x-www-form-urlencoded" },
      });
      const text = await response.text();
      if (!(response.headers.get("content-type") || "").startsWith("text/html")) throw new Error(text);
      const page = new DOMParser().parseFromString(text, "text/html");
      if (response.url !== location.href) history.pushState(null, "", response.url);
      document.title = page.title;
      localise(page);
      for (const box of main().querySelectorAll("input[type=checkbox]")) box.checked = false;
      morph(main(), page.querySelector("main"));
      morph(document.querySelector("nav.menu"), page.querySelector("nav.menu"));
      counted();
      open();
    } catch (error) {
      const note = document.getElementById("trouble");
      note.hidden = false;
      note.textContent = `Not done: ${error.message}`;
    } finally {
      submitter.disabled = false;
    }
  };
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const submitter = event.submitter;
    if (form.method !== "post" || !submitter || !submitter.dataset.confirm) return;
    event.preventDefault();
    let question = submitter.dataset.confirm;
    for (const [name, value] of new FormData(form, submitter)) question = question.replace(`{${name}}`, value);
    if (await ask(question, submitter.classList.contains("danger"))) await send(form, submitter);
    else submitter.focus();
  });
  window.addEventListener("popstate", () => location.reload());

  /* Ticks. */
  const counted = () => {
    const boxes = [...document.querySelectorAll("input[name=selected]")];
    const ticked = boxes.filter((box) => box.checked).length;
    for (const each of document.querySelectorAll("[data-ticked]")) {
      each.textContent = ticked ? `${ticked} selected` : "none selected";
    }
    const all = document.getElementById("tick-all");
    if (all) {
      all.checked = ticked > 0 && ticked === boxes.length;
      all.indeterminate = ticked > 0 && ticked < boxes.length;
    }
  };
  document.addEventListener("change", (event) => {
    if (event.target.id === "tick-all") {
      for (const box of document.querySelectorAll("input[name=selected]")) box.checked = event.target.checked;
    }
    if (event.target.matches("input[type=checkbox]")) counted();
    if (event.target.matches("select[data-submit]")) event.target.form.requestSubmit();
  });

  /* Buttons of the page itself. */
  const remember = (theme) => {
    document.documentElement.dataset.theme = theme;
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `stockyard_theme=${theme}; path=${base}/; max-age=31536000; samesite=lax${secure}`;
  };
  const named = () => {
    const zone = document.getElementById("zone");
    if (zone) zone.textContent = inUtc ? "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone || "local";
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.id === "theme") {
      const isDark = document.documentElement.dataset.theme
        ? document.documentElement.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;
      remember(isDark ? "light" : "dark");
    } else if (button.id === "zone") {
      inUtc = !inUtc;
      localStorage.setItem("stockyard.zone", inUtc ? "utc" : "local");
      localise(document);
      named();
    } else if (button.id === "keys") {
      document.getElementById("help").showModal();
    }
  });

  /* Keys: / finds, ? helps, g and a letter goes to a page, j and k go down and up the rows. */
  let isGoing = false;
  const rows = (step) => {
    const links = [...document.querySelectorAll("#live tbody tr")].map((row) => row.querySelector("a")).filter(Boolean);
    if (!links.length) return;
    const at = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
    links[Math.min(Math.max(at + step, 0), links.length - 1)].focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.matches("input:not([type=checkbox]), textarea, select")) return;
    const wasGoing = isGoing;
    isGoing = false;
    if (wasGoing) {
      const link = document.querySelector(`nav.menu a[data-letter="${CSS.escape(event.key)}"]`);
      if (link) link.click();
    } else if (event.key === "/") {
      event.preventDefault();
      const field = document.getElementById("find");
      if (field) field.focus();
    } else if (event.key === "?") {
      document.getElementById("help").showModal();
    } else if (event.key === "g") {
      isGoing = true;
    } else if (event.key === "j") {
      rows(1);
    } else if (event.key === "k") {
      rows(-1);
    }
  });

  document.documentElement.dataset.script = "on";
  localise(document);
  named();
  counted();
  open();
})();
