// The page margin: Eq. 3 and Eq. 4 over the output, for a factor and a true level.
"use strict";

(function () {
  const equations = EXPLORABLES.equations;
  const page = EXPLORABLES.page;
  const { say, number, svg } = page;

  const FROM = -1; // levels, the ends of the axis
  const TO = 6;
  const HIGHEST = 6; // the largest loss that is drawn
  const CASES = ["rightQuadratic", "wrongLinear", "rightLinear", "wrongQuadratic"];
  const SHAPE = { left: 34, right: 8, top: 8, answers: 26, gap: 10, loss: 190 };

  function build(container) {
    const state = { factor: 2, level: 2, place: 225 }; // place: hundredths of a level

    const factor = page.slider(say("marginFactor"), { min: 0.5, max: 4, step: 0.25 }, move);
    const level = page.slider(say("marginLevel"), { min: 0, max: 5, step: 1 }, move);
    const output = page.slider(
      say("marginOutput"),
      { min: 100 * FROM, max: 100 * TO, step: 1 },
      move
    );
    const presets = page.element("p", { class: "explorable-buttons" });
    [1, 2].forEach(function (value) {
      const button = page.element("button", { type: "button" }, say("marginPreset" + value));
      button.addEventListener("click", function () {
        state.factor = value;
        update();
      });
      presets.append(button);
    });
    const status = page.element("p", { class: "explorable-status", role: "status" });
    const chart = page.element("div", { class: "explorable-chart" });
    const key = page.element("ul", { class: "explorable-key" });
    CASES.forEach(function (name) {
      const mark = page.element("span", { class: "explorable-swatch " + name });
      mark.setAttribute("aria-hidden", "true");
      key.append(page.element("li", {}, mark, say(name)));
    });
    const shares = page.element("p", { class: "explorable-shares" });
    container.append(factor.row, presets, level.row, output.row, chart, status, key, shares);

    function move() {
      state.factor = Number(factor.input.value);
      state.level = Number(level.input.value);
      state.place = Number(output.input.value);
      update();
    }

    let width = 0;
    page.drawToWidth(chart, function (found) {
      width = found;
      update();
    });

    function update() {
      const out = (state.factor * state.place) / 100;
      const values = {
        factor: page.short(state.factor),
        level: state.level,
        target: page.short(state.factor * state.level),
        output: number(out, 2),
        levels: number(state.place / 100, 2),
        answer: equations.toIntensity(out, state.factor),
        loss: number(equations.loss(out, state.level, state.factor), 3),
        pull: number(equations.pull(out, state.level, state.factor), 2),
      };
      write(factor, state.factor, say("marginFactorValue", values));
      write(level, state.level, say("marginLevelValue", values));
      write(output, state.place, say("marginOutputValue", values));
      const verdict = equations.judge(out, state.level, state.factor);
      status.textContent = say("marginStatus", values) + " " + say(verdict + "Here");
      shares.textContent = say("marginShares", {
        factor: values.factor,
        inner: number(100 * equations.sharedMargin(state.factor, [1, 2, 3, 4], 0, 5), 0),
        all: number(100 * equations.sharedMargin(state.factor, equations.LEVELS, 0, 5), 0),
      });
      if (width) chart.replaceChildren(draw(state, width));
    }
  }

  function write(slider, value, text) {
    slider.input.value = value;
    slider.input.setAttribute("aria-valuetext", text);
    slider.value.textContent = text;
  }

  // Where the case of an output changes, from left to right, with the case before it.
  function stretches(factor, level) {
    const ends = [FROM, TO, level - 1 / factor, level + 1 / factor];
    for (let tie = 0.5; tie < 5; tie++) ends.push(tie);
    const inside = ends.filter(function (end) {
      return end >= FROM && end <= TO;
    });
    inside.sort(function (a, b) {
      return a - b;
    });
    const found = [];
    for (let i = 1; i < inside.length; i++) {
      if (inside[i] - inside[i - 1] < 1e-9) continue;
      const middle = (factor * (inside[i - 1] + inside[i])) / 2;
      const name = equations.judge(middle, level, factor);
      const last = found[found.length - 1];
      if (last && last.name === name) last.to = inside[i];
      else found.push({ name: name, from: inside[i - 1], to: inside[i] });
    }
    return found;
  }

  function draw(state, width) {
    const x = function (place) {
      const inner = width - SHAPE.left - SHAPE.right;
      return SHAPE.left + (inner * (place - FROM)) / (TO - FROM);
    };
    const top = SHAPE.top + SHAPE.answers + SHAPE.gap;
    const bottom = top + SHAPE.loss;
    const y = function (loss) {
      return bottom - (SHAPE.loss * loss) / HIGHEST;
    };
    const height = bottom + 40;
    const picture = svg("svg", {
      viewBox: "0 0 " + width + " " + height,
      width: width,
      height: height,
      role: "img",
      "aria-label": say("marginPicture", {
        factor: page.short(state.factor),
        level: state.level,
        low: number(state.level - 1 / state.factor, 2),
        high: number(state.level + 1 / state.factor, 2),
      }),
    });
    picture.append(answers(state.level, x));
    stretches(state.factor, state.level).forEach(function (part) {
      picture.append(
        svg("rect", {
          class: part.name,
          x: x(part.from),
          y: top,
          width: x(part.to) - x(part.from),
          height: SHAPE.loss,
        })
      );
    });
    picture.append(axes(state.factor, x, y, bottom));
    picture.append(curve(state, x, y, top));
    return picture;
  }

  // The upper band: what Eq. 3 answers to each output.
  function answers(level, x) {
    const group = svg("g", {});
    equations.LEVELS.forEach(function (answer) {
      const from = answer === 0 ? FROM : answer - 0.5;
      const to = answer === 5 ? TO : answer + 0.5;
      const box = { x: x(from), y: SHAPE.top, width: x(to) - x(from), height: SHAPE.answers };
      box.class = answer === level ? "answer true" : "answer";
      const text = { x: (x(from) + x(to)) / 2, y: SHAPE.top + SHAPE.answers / 2 + 5 };
      text["text-anchor"] = "middle";
      text.class = answer === level ? "true" : "";
      group.append(svg("rect", box), svg("text", text, String(answer)));
    });
    return group;
  }

  function axes(factor, x, y, bottom) {
    const group = svg("g", { class: "axes" });
    group.append(svg("line", { x1: x(FROM), x2: x(TO), y1: bottom, y2: bottom }));
    for (let place = FROM; place <= TO; place++) {
      group.append(svg("line", { x1: x(place), x2: x(place), y1: bottom, y2: bottom + 4 }));
      const at = { x: x(place), y: bottom + 17, "text-anchor": "middle" };
      group.append(svg("text", at, page.short(factor * place)));
    }
    for (let loss = 0; loss <= HIGHEST; loss += 2) {
      const at = { x: SHAPE.left - 6, y: y(loss) + 4, "text-anchor": "end" };
      group.append(svg("text", at, String(loss)));
    }
    const middle = { x: (x(FROM) + x(TO)) / 2, y: bottom + 35, "text-anchor": "middle" };
    group.append(svg("text", middle, say("marginAxis")));
    const beside = { "text-anchor": "middle", "transform": "translate(11," + y(HIGHEST / 2) + ") rotate(-90)" };
    group.append(svg("text", beside, say("marginLoss")));
    return group;
  }

  // The loss, where it bends, and the output that is chosen.
  function curve(state, x, y, top) {
    const group = svg("g", {});
    const points = [];
    for (let place = 100 * FROM; place <= 100 * TO; place += 2) {
      const value = equations.loss((state.factor * place) / 100, state.level, state.factor);
      if (value <= HIGHEST) points.push(x(place / 100) + "," + y(value));
    }
    group.append(svg("polyline", { class: "loss", points: points.join(" ") }));
    [-1, 1].forEach(function (side) {
      const bend = state.level + side / state.factor;
      if (bend >= FROM && bend <= TO) {
        group.append(svg("circle", { class: "bend", cx: x(bend), cy: y(0.5), r: 5 }));
      }
    });
    const place = state.place / 100;
    const value = equations.loss(state.factor * place, state.level, state.factor);
    const line = { class: "chosen", x1: x(place), x2: x(place), y1: SHAPE.top, y2: y(0) };
    group.append(svg("line", line));
    const dot = { class: "chosen", cx: x(place), cy: Math.max(top, y(value)), r: 6 };
    group.append(svg("circle", dot));
    return group;
  }

  page.show("explorable-margin", build);
})();
