// What the three pages share: strings in the page's language, elements, AU names.
"use strict";

var EXPLORABLES = EXPLORABLES || {};

(function () {
  const AUS = ["AU06", "AU10", "AU12", "AU14", "AU17"];
  let sliders = 0; // so far; for their ids
  const SVG = "http://www.w3.org/2000/svg";

  // "en" or "pt", from <html lang="…">.
  function language() {
    const found = document.documentElement.lang.slice(0, 2).toLowerCase();
    return found in EXPLORABLES.strings ? found : "en";
  }

  // A string of strings.js; {name} is replaced by values.name.
  function say(key, values) {
    const text = EXPLORABLES.strings[language()][key];
    if (text === undefined) throw new Error("strings.js has no " + key);
    return text.replace(/\{(\w+)\}/g, function (_, name) {
      return String(values[name]);
    });
  }

  function number(value, digits) {
    const format = new Intl.NumberFormat(language() === "pt" ? "pt-BR" : "en", {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
    const text = format.format(value).replace("-", "−");
    return /[1-9]/.test(text) ? text : text.replace("−", "");
  }

  // With as many digits as a quarter needs: 2, 1.5 or 0.75.
  function short(value) {
    return number(value, Number.isInteger(value) ? 0 : Number.isInteger(2 * value) ? 1 : 2);
  }

  function fill(node, attributes, children) {
    Object.keys(attributes || {}).forEach(function (name) {
      const value = attributes[name];
      if (value !== null && value !== undefined) node.setAttribute(name, value);
    });
    children.forEach(function (child) {
      node.append(child);
    });
    return node;
  }

  function element(tag, attributes) {
    const children = Array.prototype.slice.call(arguments, 2);
    return fill(document.createElement(tag), attributes, children);
  }

  function svg(tag, attributes) {
    const children = Array.prototype.slice.call(arguments, 2);
    return fill(document.createElementNS(SVG, tag), attributes, children);
  }

  // A group of radio buttons; `choose` is called with the value of the chosen one.
  function radios(name, legend, options, chosen, choose) {
    const group = element("fieldset", { class: "explorable-choice" });
    group.append(element("legend", {}, legend));
    options.forEach(function (option) {
      const input = element("input", { type: "radio", name: name });
      input.value = option.value;
      input.checked = option.value === chosen;
      input.addEventListener("change", function () {
        choose(option.value);
      });
      group.append(element("label", {}, input, option.label));
    });
    return group;
  }

  // A slider with its label and its value; returns its row, input and value. The value
  // is read out as the input's aria-valuetext.
  function slider(label, attributes, move) {
    sliders += 1;
    const id = "explorable-slider-" + sliders;
    const input = element("input", Object.assign({ type: "range", id: id }, attributes));
    const value = element("span", { "aria-hidden": "true" });
    input.addEventListener("input", move);
    const row = element("div", { class: "explorable-slider" });
    row.append(element("label", { for: id }, label), value, input);
    return { row: row, input: input, value: value };
  }

  // Draw now, and again whenever the node gets another width.
  function drawToWidth(node, draw) {
    let last = 0;
    function again() {
      const width = Math.floor(node.clientWidth);
      if (width && width !== last) {
        last = width;
        draw(width);
      }
    }
    window.addEventListener("resize", again);
    again();
  }

  // Fill the page's container. Only then does the static figure go (explorables.css).
  function show(id, build) {
    const container = document.getElementById(id);
    build(container);
    container.classList.add("on");
    window.dispatchEvent(new Event("resize"));
  }

  EXPLORABLES.page = {
    AUS: AUS,
    say: say,
    number: number,
    short: short,
    element: element,
    svg: svg,
    radios: radios,
    slider: slider,
    drawToWidth: drawToWidth,
    show: show,
  };
})();
