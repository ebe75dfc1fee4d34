/* The subscribe form, a little more comfortable. Without this script everything works as well. */
"use strict";

(() => {
  const form = document.querySelector("form[data-try]");
  if (!form) return;

  guessZone(form.elements.zone);
  showWhatApplies(form);
  form.elements.kind.addEventListener("change", () => showWhatApplies(form));
  for (const input of form.querySelectorAll("input[name=query]")) tryLive(input, form.dataset.try);

  /* The browser knows where it is; whoever has changed the field is not corrected. */
  function guessZone(select) {
    const guess = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const asServed = [...select.options].find((option) => option.defaultSelected);
    if (!guess || !form.matches("[data-fresh]") || (asServed && select.value !== asServed.value)) return;
    if (![...select.options].some((option) => option.value === guess)) select.add(new Option(guess, guess), 0);
    select.value = guess;
  }

  /* Day and time only where the cadence has one. */
  function showWhatApplies(form) {
    for (const part of form.querySelectorAll("[data-for]")) {
      part.hidden = !part.dataset.for.split(" ").includes(form.elements.kind.value);
    }
    for (const remark of form.querySelectorAll(".nojs")) remark.hidden = true;
  }

  /* What a query would have found, half a second after the last key. */
  function tryLive(input, address) {
    const place = document.getElementById(input.getAttribute("aria-describedby").split(" ").pop());
    let timer, latest = 0;
    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(ask, 500);
    });

    async function ask() {
      const turn = ++latest;
      const query = input.value.trim();
      let html = "";
      if (query) {
        try {
          const answer = await fetch(`${address}?q=${encodeURIComponent(query)}`);
          if (!answer.ok) return;
          html = await answer.text();
        } catch {
          return; // the button does the same
        }
      }
      if (turn !== latest) return;
      place.innerHTML = html;
      input.toggleAttribute("aria-invalid", false);
      if (place.querySelector(".error")) input.setAttribute("aria-invalid", "true");
    }
  }
})();
