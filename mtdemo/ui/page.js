// What a browser does by itself on this page. Run once, when the page is loaded.
() => {
  const find = (selector) => document.querySelector(selector);
  const lines = (text) => (text || "").split("\n").map((line) => line.trim()).filter(Boolean).join("\n");
  const say = (words, isGood = false) => {
    const place = find("#stale");
    if (!place) return;
    place.textContent = words;
    place.classList.toggle("good", isGood);
  };

  const MAX_BYTES = 4_000_000;  // of a file, as MAX_UPLOAD_BYTES of mtdemo/config.py
  const ENDS = /[.!?…。！？]["'”’)\]]*\s+\S|[。！？]\S/g;  // a sentence, and another one behind it
  const isLong = (line) => line.length > 120 && (line.match(ENDS) || []).length > 1;

  const write = (selector, value) => {
    const field = find(selector);
    if (!field) return;
    field.value = value;
    for (const kind of ["input", "change", "blur"]) field.dispatchEvent(new Event(kind, { bubbles: kind !== "blur" }));
  };

  const isExplained = () => seen("#occlusion .word") && find("#what-if-version textarea").value;
  const accordion = (id) => ({
    open: `#${id} button.label-wrap.open`, opens: `#${id} button.label-wrap`, after: isExplained, asks: `#${id} .asking button`,
  });
  const inner = (id) => ({ open: `#tab-${id}-button[aria-selected=true]`, opens: `#tab-${id}-button` });
  // Parts within a tab that a link brings back: what is seen of an open one, what opens it and after what, the fields that it
  // carries, and the button that asks.
  const PANELS = {
    rank: { ...inner("rank"), fields: ["query", "rank-best"], asks: "#rank" },
    map: {
      ...inner("map"),
      fields: ["map-method", "map-dimensions", "map-coloring", "map-clusters", "map-filter", "map-regex"],
    },
    layers: { ...inner("layers"), asks: "#read-layers" },
    "what-if": { open: "#changes :not(:empty)", after: isExplained, fields: ["what-if-version"], asks: "#what-if button" },
    variants: accordion("why-variants"),
    names: accordion("why-names"),
    gradients: accordion("why-gradients"),
    pair: accordion("why-pair"),
  };
  const seen = (selector) => [...document.querySelectorAll(selector)].find((element) => element.offsetParent);
  const until = async (holds) => {
    for (let n = 0; n < 300 && !holds(); n++) await new Promise((resolve) => setTimeout(resolve, 200));
    return holds();
  };
  const appears = (selector) => until(() => seen(selector));
  const chosen = (id) => {
    const field = find(`#${id} input:checked`) || find(`#${id} :is(textarea, input)`);
    return field?.type === "checkbox" ? (field.checked ? "on" : "") : field?.value;
  };
  const set = (id, value) => {
    const choices = [...document.querySelectorAll(`#${id} :is([type=radio], [type=checkbox])`)];
    if (choices.length) choices.find((choice) => choice.value === value && !choice.checked)?.click();
    else write(`#${id} :is(textarea, input)`, value);
  };
  const linkPanels = () => {
    const open = Object.keys(PANELS).filter((name) => seen(PANELS[name].open));
    const fields = open.flatMap((name) => PANELS[name].fields || []).map((id) => [id, chosen(id)]);
    const parts = [...(open.length ? [["panels", open.join()]] : []), ...fields.filter(([, value]) => value)];
    return parts.map(([name, value]) => `&${name}=${encodeURIComponent(value)}`).join("");
  };

  window.mtdemo = {
    // Mark the answers as stale while the box holds something else than when it was read.
    compare(text, stood) {
      const stale = Boolean(stood) && lines(text) !== lines(stood);
      document.body.classList.toggle("stale", stale);
      const preview = find("#preview");
      if (preview) {
        preview.shown ??= lines(text);  // the first that is seen with it is what was put into the box
        preview.classList.toggle("changed", lines(text) !== preview.shown);
      }
      document.body.classList.toggle("long-lines", lines(text).split("\n").some(isLong));
      say(stale ? "Changed since it was read: the answers below are of the earlier text." : "");
    },
    // Go on when what was answered is painted; a page in the background is never painted.
    painted(value) {
      return new Promise((resolve) => {
        requestAnimationFrame(() => setTimeout(() => resolve(value)));
        setTimeout(() => resolve(value), 300);
      });
    },
    // Let a figure show other data where it stands; gradio's own would be a new one.
    redraw(selector, figure) {
      const place = find(selector);
      if (!figure || !place) return;
      const { data, layout } = JSON.parse(figure);
      window.Plotly.react(place, data, { ...layout, autosize: true });
    },
    // Hand a file out that was made on a click.
    save(file) {
      if (!file) return;
      const link = document.createElement("a");
      link.href = file.url || `gradio_api/file=${file.path}`;
      link.download = file.orig_name || "";
      link.click();
    },
    // Put a question into the address, and into the clipboard where that is allowed.
    async link(query) {
      if (!query) return;
      const tab = find("[role=tab][aria-selected=true]")?.id.replace(/-button$/, "").replace(/^tab-/, "");
      const address = `${location.origin}${location.pathname}?${query}${tab ? `&tab=${tab}` : ""}${linkPanels()}`;
      history.replaceState(null, "", address);
      try {
        await navigator.clipboard.writeText(address);
        say("The link is copied, and stands in the address bar.", true);
      } catch {
        say("The link stands in the address bar: copy it from there.", true);
      }
    },
  };

  // Open what the address names, once its question is answered.
  const asked = new URLSearchParams(location.search);
  window.mtdemo.restore = async () => {
    const names = (asked.get("panels") || "").split(",").filter((name) => Object.hasOwn(PANELS, name));
    asked.delete("panels");
    for (const { open, opens, after, fields = [], asks } of names.map((name) => PANELS[name])) {
      if (after) await until(after);
      if (opens && !seen(open)) (await appears(opens))?.click();
      for (const id of fields.filter((id) => asked.has(id))) {
        await appears(`#${id}`);
        set(id, asked.get(id));
      }
      if (asks) (await appears(asks))?.click();
    }
  };

  // What an example teaches goes when a person writes something else.
  document.addEventListener("input", (event) => {
    if (event.target.closest?.("#sentences")) document.body.classList.add("own-text");
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#clear")) document.body.classList.add("own-text");
    if (event.target.closest?.("#examples .chip")) document.body.classList.remove("own-text");
  });

  // A file that is dropped on the box goes the way of the button in it; one that is dropped beside it opens nothing.
  const holdsFile = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
  const dropping = (on) => find("#ask")?.classList.toggle("dropping", on);
  document.addEventListener("dragover", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    dropping(Boolean(event.target.closest?.("#ask")));
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) dropping(false); });
  document.addEventListener("drop", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    dropping(false);
    const input = find("#actions input[type=file]");
    if (!event.target.closest?.("#ask") || !input) return;
    const file = new DataTransfer();
    file.items.add(event.dataTransfer.files[0]);
    input.files = file.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });

  document.addEventListener("change", (event) => {
    if (!event.target.matches?.("#actions input[type=file]")) return;
    const file = event.target.files[0];
    if (file && file.size > MAX_BYTES) {
      event.stopImmediatePropagation();  // gradio would say it far from the box, and for seconds only
      say(`${file.name} has ${(file.size / 1e6).toFixed(1)} MB; at most ${MAX_BYTES / 1e6} are read here.`);
      event.target.value = "";
    } else {
      say("");
      document.body.classList.add("own-text");
    }
  }, true);

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.closest?.("#sentences")) {
      event.preventDefault();
      find("#read").click();
    }
    const tab = event.target.closest?.("[role=tab]");
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (tab && step) {
      const tabs = [...tab.closest("[role=tablist]").querySelectorAll("[role=tab]")];
      const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
      next.focus();
      next.click();
    }
  });

  // What gradio leaves out: accordions that say whether they are open, radio groups for the arrow keys, figures and the
  // drop zones of files with a name.
  let groups = 0;
  const mend = () => {
    // Classes of the body: what `:has(…)` asks of an element with all answers in it, the browser asks of each of them again
    // whenever plotly measures a label (12 ms, 50 times a figure). gradio's own style asks so if its panel is open.
    const mark = (name, on) => document.body.classList.toggle(name, on);
    find(".sidebar-parent")?.classList.replace("sidebar-parent", "beside-panel");
    mark("panel-open", Boolean(find("#panel.open")));
    mark("freezing", Boolean(find('#tab-freezing-button[aria-selected="true"]')));
    mark("without-heatmap", !find("#heatmap .js-plotly-plot"));
    for (const head of document.querySelectorAll("button.label-wrap")) {
      const open = String(head.classList.contains("open"));
      if (head.getAttribute("aria-expanded") !== open) head.setAttribute("aria-expanded", open);
    }
    const name = (selector, words) => document.querySelectorAll(`${selector}:not([aria-label])`).forEach((element) => {
      element.setAttribute("aria-label", words);
    });
    name(".modebar-btn--logo", "Made with Plotly");
    document.querySelectorAll(".js-plotly-plot:not([role])").forEach((figure) => {
      figure.setAttribute("role", "group");
      figure.setAttribute("aria-label", "A figure; its numbers stand in the tables beside it");
    });
    // A click on a point of the map writes its number into the field beside it; a lasso those of all points within.
    document.querySelectorAll("#map .js-plotly-plot").forEach((figure) => {
      if (figure.picks || !figure.on) return;
      figure.picks = true;
      figure.on("plotly_click", (event) => {
        write("#map-point input", event.points[0].customdata);
      });
      const select = (event) => write("#map-selection :is(textarea, input)", (event?.points || []).map((p) => p.customdata).join());
      figure.on("plotly_selected", select);
      figure.on("plotly_deselect", select);
    });
    const scrolls = ":is(.card table, #spans .textfield):not([tabindex])";
    document.querySelectorAll(scrolls).forEach((table) => { table.tabIndex = 0; });
    document.querySelectorAll("fieldset").forEach((group) => {
      group.radios ??= `group-${++groups}`;  // never that of another group, of which the browser would uncheck a choice
      for (const radio of group.querySelectorAll("input[type=radio]")) {
        if (radio.name !== group.radios) radio.name = group.radios;
      }
    });
  };
  let waiting = false;
  new MutationObserver(() => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; mend(); });
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["class"] });
  mend();
}
