// New mail without reloading the page. Without this script the list refreshes itself every few seconds.
const live = document.getElementById("live");
const events = new EventSource("/events");

events.onopen = () => { live.textContent = "live"; live.dataset.state = "on"; };
events.onerror = () => { live.textContent = "the demo has ended"; live.dataset.state = "off"; };
events.onmessage = async () => {
  const answer = await fetch(location.href);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["readers", "mails", "count"]) {
    const focused = document.activeElement?.closest(`#${id}`) && document.activeElement.getAttribute("href");
    document.getElementById(id).replaceWith(fresh.getElementById(id));
    if (focused) document.querySelector(`#${id} a[href="${CSS.escape(focused)}"]`)?.focus();
  }
  document.title = fresh.title;
};
