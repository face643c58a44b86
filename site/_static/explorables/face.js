// The page face: a trained network reads a face, here in the browser.
"use strict";

(function () {
  const page = EXPLORABLES.page;
  const { say, number, element, svg } = page;

  const COVERS = {
    coverNothing: [0, 0, 0, 0], // left, top, right, bottom, in shares of the side
    coverUpper: [0, 0, 1, 0.5],
    coverLower: [0, 0.5, 1, 1],
    coverLeft: [0, 0, 0.5, 1],
    coverRight: [0.5, 0, 1, 1],
  };
  const LANE = 40; // pixels of an AU's scale

  // The pixels that the network gets: a changed copy of 3 * size * size numbers.
  function change(pixels, data, changes) {
    const size = data.size;
    const box = COVERS[changes.cover].map(function (share) {
      return Math.round(share * size);
    });
    const found = new Float32Array(pixels.length);
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const from = y * size + (changes.mirror ? size - 1 - x : x);
        const hidden = x >= box[0] && x < box[2] && y >= box[1] && y < box[3];
        for (let channel = 0; channel < 3; channel++) {
          const bright = (pixels[3 * from + channel] * changes.brightness) / 100;
          const value = hidden ? data.mean[channel] : bright;
          found[3 * (y * size + x) + channel] = Math.min(255, value);
        }
      }
    }
    return found;
  }

  // A picture's red, green and blue; `done` gets them, or null if it can't be decoded.
  function decode(webp, size, done) {
    const image = new Image();
    image.onload = function () {
      const canvas = element("canvas", { width: size, height: size });
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      const rgba = context.getImageData(0, 0, size, size).data;
      const pixels = new Uint8Array(3 * size * size);
      for (let i = 0; i < size * size; i++) {
        for (let channel = 0; channel < 3; channel++) {
          pixels[3 * i + channel] = rgba[4 * i + channel];
        }
      }
      done(pixels);
    };
    image.onerror = function () {
      done(null);
    };
    image.src = "data:image/webp;base64," + webp;
  }

  function build(container) {
    const data = EXPLORABLES.face;
    const layers = data.layers.map(EXPLORABLES.network.unpack);
    const work = EXPLORABLES.network.multiplications(layers, data.size);
    const state = { face: 0, brightness: 100, mirror: false, cover: "coverNothing" };
    let pixels = null;

    const picture = element("canvas", { width: data.size, height: data.size, role: "img" });
    picture.setAttribute("aria-label", named("facePicture"));
    const chart = element("div", { class: "explorable-chart" });
    const status = element("p", { class: "explorable-status", role: "status" });
    const table = element("table", { class: "explorable-table" });
    const controls = controlsOf(state, read);
    const result = element("div", { class: "explorable-result" });
    result.append(picture, element("div", {}, chart, key(data.scale)));
    container.append(facesOf(data, choose), result, status, controls, table);
    container.append(element("p", { class: "explorable-about" }, about(data)));

    // A string that names the face that is chosen, and what was changed.
    function named(key) {
      const name = say("faceName", data.faces[state.face]);
      return say(key, { name: name, changes: changesOf(state) });
    }

    let width = 0;
    let answer = null;
    page.drawToWidth(chart, function (found) {
      width = found;
      if (answer) chart.replaceChildren(draw(data, data.faces[state.face], answer, width));
    });

    function choose(face) {
      state.face = face;
      decode(data.faces[face].webp, data.size, function (found) {
        if (state.face !== face) return; // another one was chosen meanwhile
        pixels = found;
        if (!found) status.textContent = say("faceFailed");
        else read();
      });
    }

    function read() {
      if (!pixels) return;
      const face = data.faces[state.face];
      const changed = change(pixels, data, state);
      const started = performance.now();
      answer = EXPLORABLES.network.run(layers, changed, data);
      const time = performance.now() - started;
      paint(picture, changed, data.size);
      picture.setAttribute("aria-label", named("facePicture"));
      fillTable(table, data, face, answer, named("faceTable"));
      if (width) chart.replaceChildren(draw(data, face, answer, width));
      const levels = answer.map(function (output) {
        return EXPLORABLES.equations.toIntensity(output, data.scale);
      });
      status.textContent = say("faceStatus", {
        right: face.labels.filter((label, au) => label === levels[au]).length,
        known: face.labels.filter((label) => label <= 5).length,
        time: number(time, 0),
        millions: number(work / 1e6, 0),
      });
    }

    choose(0);
  }

  // The faces as a group of radio buttons with pictures.
  function facesOf(data, choose) {
    const options = data.faces.map(function (face, number) {
      const source = "data:image/webp;base64," + face.webp;
      const image = element("img", { src: source, alt: say("faceName", face) });
      image.width = image.height = 48;
      return { value: number, label: image };
    });
    const group = page.radios("explorable-face", say("faceChoose"), options, 0, choose);
    group.classList.add("explorable-faces");
    return group;
  }

  function controlsOf(state, read) {
    const bright = page.slider(say("faceBrightness"), { min: 40, max: 160, step: 5 }, set);
    const mirror = element("input", { type: "checkbox" });
    const mirrored = element("label", { class: "explorable-check" }, mirror, say("faceMirror"));
    mirror.addEventListener("change", set);
    const covers = Object.keys(COVERS).map(function (name) {
      return { value: name, label: say(name) };
    });
    const cover = page.radios("explorable-cover", say("faceCover"), covers, state.cover, function (name) {
      state.cover = name;
      read();
    });
    const reset = element("button", { type: "button" }, say("faceReset"));
    reset.addEventListener("click", function () {
      Object.assign(state, { brightness: 100, mirror: false, cover: "coverNothing" });
      mirror.checked = false;
      cover.querySelector("input").checked = true;
      bright.input.value = 100;
      label();
      read();
    });

    function label() {
      const text = say("faceBrightnessValue", { percent: state.brightness });
      bright.value.textContent = text;
      bright.input.setAttribute("aria-valuetext", text);
    }

    function set() {
      state.brightness = Number(bright.input.value);
      state.mirror = mirror.checked;
      label();
      read();
    }

    bright.input.value = 100;
    label();
    const group = element("fieldset", { class: "explorable-controls" });
    const buttons = element("p", { class: "explorable-buttons" }, mirrored, reset);
    group.append(element("legend", {}, say("faceChanges")), bright.row, cover, buttons);
    return group;
  }

  // What was changed, in words that follow the name of a face.
  function changesOf(state) {
    const words = [];
    if (state.brightness !== 100) {
      const percent = say("faceBrightnessValue", { percent: state.brightness });
      words.push(say("faceBrightness").toLowerCase() + " " + percent);
    }
    if (state.mirror) words.push(say("faceMirror"));
    if (state.cover !== "coverNothing") {
      words.push(say("faceCovered", { part: say(state.cover) }));
    }
    return words.length ? " (" + words.join(", ") + ")" : "";
  }

  function paint(canvas, pixels, size) {
    const context = canvas.getContext("2d");
    const image = context.createImageData(size, size);
    for (let i = 0; i < size * size; i++) {
      for (let channel = 0; channel < 3; channel++) {
        image.data[4 * i + channel] = pixels[3 * i + channel];
      }
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  function fillTable(table, data, face, answer, title) {
    const heads = ["faceAu", "faceOutput", "faceHalved", "faceAnswer", "faceCoder"];
    const head = element("tr", {});
    heads.forEach(function (name) {
      const text = say(name, { factor: page.short(data.scale) });
      head.append(element("th", { scope: "col" }, text));
    });
    const body = element("tbody", {});
    page.AUS.forEach(function (au, i) {
      const level = EXPLORABLES.equations.toIntensity(answer[i], data.scale);
      const row = element("tr", { class: level === face.labels[i] ? "same" : "" });
      const name = element("th", { scope: "row" }, au + " ");
      name.append(element("small", {}, say(au)));
      row.append(name);
      const coder = face.labels[i] <= 5 ? String(face.labels[i]) : say("faceUnknown");
      [number(answer[i], 2), number(answer[i] / data.scale, 2), String(level), coder].forEach(
        function (text) {
          row.append(element("td", {}, text));
        }
      );
      body.append(row);
    });
    const caption = element("caption", {}, title);
    table.replaceChildren(caption, element("thead", {}, head), body);
  }

  // A scale from 0 to 5 for each AU. Bars that would leave it stop at its ends.
  function draw(data, face, answer, width) {
    const left = 48;
    const x = function (level) {
      const inside = Math.min(5.4, Math.max(-0.4, level));
      return left + ((width - left - 4) * (inside + 0.4)) / 5.8;
    };
    const height = LANE * answer.length + 22;
    const label = say("faceChart", { factor: page.short(data.scale) });
    const picture = svg("svg", {
      viewBox: "0 0 " + width + " " + height,
      width: width,
      height: height,
      role: "img",
      "aria-label": label,
    });
    const grid = svg("g", { class: "axes" });
    EXPLORABLES.equations.LEVELS.forEach(function (level) {
      grid.append(svg("line", { x1: x(level), x2: x(level), y1: 4, y2: height - 20 }));
      const at = { x: x(level), y: height - 5, "text-anchor": "middle" };
      grid.append(svg("text", at, String(level)));
    });
    picture.append(grid);
    answer.forEach(function (output, i) {
      const middle = LANE * i + LANE / 2 + 2;
      const place = output / data.scale;
      const level = EXPLORABLES.equations.toIntensity(output, data.scale);
      const ends = [x(0), x(place)].sort((a, b) => a - b);
      const bar = { class: "output", x: ends[0], y: middle - 8, height: 16 };
      bar.width = Math.max(1, ends[1] - ends[0]);
      const line = { class: "answer", x1: x(level), x2: x(level) };
      Object.assign(line, { y1: middle - 14, y2: middle + 14 });
      picture.append(svg("text", { x: 0, y: middle + 5 }, page.AUS[i]));
      picture.append(svg("rect", bar), svg("line", line));
      if (face.labels[i] <= 5) picture.append(diamond(x(face.labels[i]), middle));
    });
    return picture;
  }

  function diamond(x, y) {
    const points = [[x - 7, y], [x, y - 7], [x + 7, y], [x, y + 7]];
    return svg("polygon", { class: "coder", points: points.join(" ") });
  }

  function key(scale) {
    const list = element("ul", { class: "explorable-key" });
    const marks = {
      faceKeyOutput: svg("rect", { class: "output", x: 0, y: 3, width: 18, height: 12 }),
      faceKeyAnswer: svg("line", { class: "answer", x1: 9, x2: 9, y1: 0, y2: 18 }),
      faceKeyCoder: diamond(9, 9),
    };
    Object.keys(marks).forEach(function (name) {
      const mark = svg("svg", { viewBox: "0 0 18 18", width: 18, height: 18 }, marks[name]);
      mark.setAttribute("aria-hidden", "true");
      const text = say(name, { factor: page.short(scale) });
      list.append(element("li", {}, mark, text));
    });
    return list;
  }

  function about(data) {
    const facts = Object.assign({}, data.about);
    facts.model = say("model_" + facts.model);
    facts.bound = number(facts.bound, 3);
    facts.full = number(facts.evaluationIcc[0], 4);
    facts.small = number(facts.evaluationIcc[1], 4);
    facts.same = number(100 * facts.sameLevels, 1);
    facts.trainingFrames = number(facts.trainingFrames, 0);
    facts.evaluationFrames = number(facts.evaluationFrames, 0);
    return say("faceAbout", facts);
  }

  page.show("explorable-face", build);
})();
