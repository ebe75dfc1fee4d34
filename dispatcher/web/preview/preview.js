// The page follows files and choices without being loaded again. Without this script the button "Show" does it.
const live = document.getElementById("live");
const choices = document.getElementById("choices");
let latest = 0;

const chosen = () => {
  const said = [...new FormData(choices)].filter(([name, value]) => value && !(name === "view" && value === "all"));
  return said.length ? `/?${new URLSearchParams(said)}` : "/?view=all";
};

async function show(address) {
  const turn = ++latest;
  const answer = await fetch(address);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (turn !== latest) return; // something newer is on its way
  document.title = fresh.title;
  const before = document.querySelector(".beside")?.scrollLeft ?? 0;
  document.getElementById("main").replaceWith(fresh.getElementById("main"));
  document.querySelector(".beside")?.scrollTo(before, 0);
  const sending = document.getElementById("sending");
  const to = sending.elements.to.value;
  sending.replaceWith(fresh.getElementById("sending"));
  document.getElementById("sending").elements.to.value = to;
}

function choose() {
  const address = chosen();
  history.replaceState(null, "", address);
  return show(address);
}

choices.addEventListener("submit", (event) => { event.preventDefault(); choose(); });
choices.addEventListener("change", choose);
choices.elements.reader.addEventListener("input", async (event) => {
  const start = event.target.value;
  const answer = await fetch(`/readers?start=${encodeURIComponent(start)}`);
  const options = (await answer.json()).map((address) => new Option(address, address));
  if (event.target.value === start) document.getElementById("known").replaceChildren(...options);
});

document.addEventListener("click", (event) => {
  const tab = event.target.closest(".views a:not(.download)");
  if (!tab || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  choices.elements.view.value = new URL(tab.href).searchParams.get("view") ?? "all";
  choose().then(() => document.querySelector('.views a[aria-current="page"]')?.focus());
});

const events = new EventSource("/events");
events.onopen = () => { live.textContent = "live"; live.dataset.state = "on"; };
events.onerror = () => { live.textContent = "the preview has ended"; live.dataset.state = "off"; };
events.onmessage = (event) => {
  if (event.data === document.body.dataset.version) return;
  document.body.dataset.version = event.data;
  show(location.href);
};
