/* The cell explorer of chapter 4: one LSTM unit with one input, whose numbers you move.

   Every element of class "cell-explorer" is filled with sliders, bars and a sentence; what it holds in the page,
   a still figure, is for readers without JavaScript. Nothing is loaded and nothing is stored. The equations are
   those of lstm_lib/equations.py, and tests/site/test_cell_explorer.py holds both together. */
"use strict";

(() => {
  const GATES = { f: "forget gate", i: "input gate", g: "candidate", o: "output gate" };
  const WEIGHTS = { W: "weight of the input", U: "weight of the hidden state", b: "bias" };
  const STATES = {
    x: { symbol: ["x", "t"], words: "input", limit: 2 },
    h: { symbol: ["h", "t−1"], words: "hidden state before", limit: 1 },
    c: { symbol: ["c", "t−1"], words: "cell state before", limit: 6 },
  };
  const RESULTS = {
    f: { words: "forget gate", low: 0, high: 1 },
    i: { words: "input gate", low: 0, high: 1 },
    g: { words: "candidate", low: -1, high: 1 },
    c: { words: "cell state", low: -6, high: 6 },
    o: { words: "output gate", low: 0, high: 1 },
    h: { words: "hidden state", low: -1, high: 1 },
  };
  const WEIGHT_LIMIT = 10;
  const STEP = 0.01;

  // a setting lists W, U, b of each gate
  const setting = (x, h, c, gates) => {
    const values = { x, h, c };
    for (const gate of Object.keys(GATES)) {
      Object.keys(WEIGHTS).forEach((kind, k) => { values[kind + gate] = (gates[gate] || [0, 0, 0])[k]; });
    }
    return values;
  };
  const register = (forget, input, c) =>
    setting(1, 0, c, { f: [0, 0, forget], i: [0, 0, input], g: [1, 0, 0], o: [0, 0, 10] });
  const PRESETS = {
    "all ones": setting(1, 0, 0, { f: [1, 4, 1], i: [1, 4, 1], g: [1, 4, 1], o: [1, 4, 1] }),
    "all zeros": setting(1, 0, 1, {}),
    keep: register(10, -10, 0.7),
    overwrite: register(-10, 10, 0.7),
    "add (counter)": register(10, 10, 0),
    clear: register(-10, -10, 0.7),
  };

  const sigmoid = (a) => 0.5 + 0.5 * Math.tanh(0.5 * a);

  function step(v) {
    const a = (gate) => v["W" + gate] * v.x + v["U" + gate] * v.h + v["b" + gate];
    const f = sigmoid(a("f")), i = sigmoid(a("i")), g = Math.tanh(a("g")), o = sigmoid(a("o"));
    const c = f * v.c + i * g;
    return { f, i, g, c, o, h: o * Math.tanh(c) };
  }

  const show = (value, digits = 4) => {
    const text = value.toFixed(digits);
    return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
  };

  function make(tag, attributes = {}, ...children) {
    const inSvg = ["svg", "rect", "line", "polyline", "circle"].includes(tag);
    const element = inSvg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  const symbol = (letter, index) => make("i", {}, letter, make("sub", {}, index));

  function slider(name, label, limit) {
    const input = make("input", {
      type: "range", name, min: -limit, max: limit, step: STEP, "aria-label": label,
    });
    return { input, value: make("span", { class: "number", "data-value": name }) };
  }

  function bar(name) {
    const { words, low, high } = RESULTS[name];
    const rect = make("rect", { y: 3, height: 10, class: name === "c" || name === "h" ? "state" : "gate" });
    const zero = (100 * -low) / (high - low);
    const svg = make("svg", { viewBox: "0 0 100 16", preserveAspectRatio: "none", "aria-hidden": "true" },
      make("rect", { x: 0, y: 3, width: 100, height: 10, class: "ground" }), rect,
      make("line", { x1: zero, x2: zero, y1: 0, y2: 16 }));
    const value = make("span", { class: "number", "data-result": name });
    const row = make("div", { class: "bar" }, make("span", {}, symbol(name, "t"), ` ${words}`), svg, value);
    const draw = (number) => {
      const end = (100 * (Math.min(high, Math.max(low, number)) - low)) / (high - low);
      rect.setAttribute("x", Math.min(zero, end));
      rect.setAttribute("width", Math.abs(end - zero));
      value.textContent = show(number);
    };
    return { row, draw };
  }

  function trail() {
    const line = make("polyline", {}), dot = make("circle", { r: 3 });
    const zero = make("line", { x1: 0, x2: 300 });
    const svg = make("svg", { viewBox: "0 0 300 70", "aria-hidden": "true", class: "trail" }, zero, line, dot);
    const draw = (values) => {
      const top = Math.max(1, ...values.map(Math.abs));
      const at = (value, k) => [8 + (284 * k) / Math.max(8, values.length - 1), 35 - (30 * value) / top];
      const points = values.map(at);
      line.setAttribute("points", points.map((point) => point.join(",")).join(" "));
      const [x, y] = points[points.length - 1];
      dot.setAttribute("cx", x);
      dot.setAttribute("cy", y);
      zero.setAttribute("y1", 35);
      zero.setAttribute("y2", 35);
    };
    return { svg, draw };
  }

  function build(root) {
    let values, past;
    const sliders = {}, bars = {}, memory = trail();
    const equation = make("p", { class: "equation" });
    const live = make("output", { class: "live", "aria-live": "polite" });

    const speak = () => {
      const now = step(values);
      live.textContent = `Step ${past.length}, x = ${show(values.x, 2)}: keeps ${show(100 * now.f, 0)} % of the memory, writes ` +
        `${show(100 * now.i, 0)} % of the candidate ${show(now.g, 2)}. The cell state goes from ` +
        `${show(values.c, 2)} to ${show(now.c, 2)}; ${show(100 * now.o, 0)} % of its tanh is shown, ${show(now.h, 2)}.`;
    };
    const draw = () => {
      const now = step(values);
      for (const [name, { draw: redraw }] of Object.entries(bars)) redraw(now[name]);
      for (const [name, { value }] of Object.entries(sliders)) value.textContent = show(values[name], 2);
      memory.draw([...past, now.c]);
      const product = (a, b) => `${show(a)} · ${b < 0 ? `(${show(b)})` : show(b)}`;
      equation.replaceChildren(symbol("c", "t"), " = ", symbol("f", "t"), " ", symbol("c", "t−1"), " + ",
        symbol("i", "t"), " ", symbol("g", "t"),
        ` = ${product(now.f, values.c)} + ${product(now.i, now.g)} = ${show(now.c)}`);
    };
    const set = (changes, kept) => {
      values = { ...values, ...changes };
      past = kept;
      for (const [name, { input }] of Object.entries(sliders)) input.value = values[name];
      draw();
      speak();
    };
    const advance = (x) => {
      const { h, c } = step(values);
      set({ x, h, c }, [...past, c]);
    };
    const button = (text, act) => {
      const element = make("button", { type: "button" }, text);
      element.addEventListener("click", act);
      return element;
    };
    const add = (name, label, limit) => {
      const { input, value } = (sliders[name] = slider(name, label, limit));
      input.addEventListener("input", () => {
        values[name] = Number(input.value);
        if (name === "c") past[past.length - 1] = values.c;
        draw();
      });
      input.addEventListener("change", speak);
      return [input, value];
    };

    const presets = make("div", { class: "buttons", role: "group", "aria-label": "settings" },
      ...Object.entries(PRESETS).map(([name, preset]) => button(name, () => set(preset, [preset.c]))));
    const states = make("fieldset", {}, make("legend", {}, "What comes in"),
      ...Object.entries(STATES).map(([name, { symbol: [letter, index], words, limit }]) =>
        make("label", { class: "slide" }, make("span", {}, symbol(letter, index), ` ${words}`), ...add(name, words, limit))));
    const weights = make("fieldset", {}, make("legend", {}, "Weights"),
      ...Object.entries(GATES).map(([gate, words]) => make("div", { class: "weights", role: "group", "aria-label": words },
        make("span", { class: "gate-name" }, words),
        ...Object.entries(WEIGHTS).map(([kind, what]) => make("label", {},
          make("span", {}, symbol(kind, gate)), ...add(kind + gate, `${words}, ${what}`, WEIGHT_LIMIT))))));
    for (const name of Object.keys(RESULTS)) bars[name] = bar(name);
    const results = make("div", { class: "results", role: "group", "aria-label": "what the cell computes" },
      ...Object.values(bars).map(({ row }) => row), equation);
    const onward = make("div", { class: "onward" }, memory.svg,
      make("div", { class: "buttons", role: "group", "aria-label": "next step" },
        button("next step, x = 1", () => advance(1)), button("next step, x = −1", () => advance(-1))), live);

    const inputs = make("div", { class: "inputs" }, states, weights);
    root.replaceChildren(presets, make("div", { class: "columns" }, results, inputs, onward));
    set(PRESETS["all ones"], [PRESETS["all ones"].c]);
  }

  document.querySelectorAll(".cell-explorer").forEach(build);
})();
