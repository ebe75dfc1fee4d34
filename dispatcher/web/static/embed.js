/* The subscribe form on another site: <script src="https://letters.example/embed.js" data-topics="energy,climate" async></script> */
"use strict";

(() => {
  const script = document.currentScript;
  const base = script.src.replace(/\/embed\.js(\?.*)?$/, "");
  const style = `
    :host { all: initial; display: block; margin: 1.5em 0; color: inherit; font: 16px/1.5 system-ui, sans-serif; }
    form, [role=status] { max-width: 34em; padding: 1.2em 1.4em; border: 1px solid #8d867a; border-radius: 8px; background: #fff; color: #1c1a17; }
    .label, legend { margin: 0 0 .5em; padding: 0; font-weight: 700; }
    p { margin: 0 0 .6em; }
    fieldset { margin: 0 0 .8em; padding: 0; border: 0; }
    .field { margin: 0 0 .8em; }
    .field > label { display: block; margin: 0 0 .25em; font-weight: 600; }
    .choice { display: flex; gap: .6em; align-items: flex-start; padding: .3em 0; }
    .choice label { flex: 1; font-weight: 400; }
    .choice input { flex: none; width: 20px; height: 20px; margin: 2px 0 0; accent-color: #a3271b; }
    .row { display: flex; flex-wrap: wrap; gap: 0 .8em; }
    .row > * { flex: 1 1 8em; }
    input[type=email], input[type=time], select { box-sizing: border-box; width: 100%; min-height: 44px; padding: .4em .6em; border: 1px solid #8d867a; border-radius: 6px; background: #fff; color: #1c1a17; font: inherit; }
    button { min-height: 46px; padding: .5em 1.6em; border: 0; border-radius: 6px; background: #a3271b; color: #fff; font: inherit; font-weight: 600; cursor: pointer; }
    button[disabled] { opacity: .6; }
    :focus-visible { outline: 3px solid #a3271b; outline-offset: 2px; }
    .error { margin: .3em 0 .6em; color: #a3271b; font-weight: 600; }
    .hint, .optional { color: #5f594f; font-size: 14px; font-weight: 400; }
    [aria-invalid=true] { border: 2px solid #a3271b !important; }
    a { color: #a3271b; }
    .aside { position: absolute; inset-inline-start: -9999px; width: 1px; height: 1px; overflow: hidden; }
    [hidden] { display: none !important; }`;

  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet(); // no style element: the site's own policy may forbid those
  sheet.replaceSync(style);
  root.adoptedStyleSheets = [sheet];

  const asked = new URLSearchParams({ lang: script.dataset.lang || document.documentElement.lang });
  if (script.dataset.topics) asked.set("topics", script.dataset.topics);
  if (script.dataset.newsletter) asked.set("newsletter", script.dataset.newsletter);
  fetch(`${base}/embed/form?${asked}`, { credentials: "omit" })
    .then((answer) => (answer.ok ? answer.text() : Promise.reject(answer.status)))
    .then((html) => {
      script.after(host);
      show(html, false);
    })
    .catch(offerLink);

  function show(html, isAnswer) {
    root.innerHTML = html;
    const form = root.querySelector("form");
    if (form) prepare(form);
    if (isAnswer) {
      const first = root.querySelector("[aria-invalid=true], .error, [role=status]");
      if (first) {
        if (!first.matches("input, select")) first.tabIndex = -1;
        first.focus();
      }
    }
  }

  function prepare(form) {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone) form.elements.zone.value = zone;
    const applies = () => {
      for (const part of form.querySelectorAll("[data-for]")) {
        part.hidden = !part.dataset.for.split(" ").includes(form.elements.kind.value);
      }
      for (const remark of form.querySelectorAll(".nojs")) remark.hidden = true;
    };
    applies();
    form.elements.kind.addEventListener("change", applies);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(form);
    });
  }

  /* Sent from here; if that fails, as a plain form in a tab of its own. */
  async function send(form) {
    const button = form.querySelector("button");
    const body = new URLSearchParams(new FormData(form));
    body.set("embed", "1");
    button.disabled = true;
    try {
      const answer = await fetch(`${base}/subscribe`, { method: "POST", body, credentials: "omit" });
      if (answer.status !== 200 && answer.status !== 422) throw new Error(String(answer.status));
      show(await answer.text(), true);
    } catch {
      button.disabled = false;
      form.submit();
    }
  }

  /* Without the form, the way to it. */
  function offerLink() {
    const link = document.createElement("a");
    link.href = `${base}/subscribe?${asked}`;
    link.textContent = script.dataset.label || new URL(base).host;
    script.after(link);
  }
})();
