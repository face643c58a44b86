// The page confusion: the matrix of each AU, and the faces in its cells.
"use strict";

(function () {
  const page = EXPLORABLES.page;
  const { say, number, element } = page;

  const COLOURS = ["#00204d", "#31446b", "#666970", "#958f78", "#cbba69", "#ffea46"];
  const SIDE = 80; // pixels of a face on the screen

  // A colour between the six, for a share from 0 to 1: [red, green, blue].
  function colour(share) {
    const place = share * (COLOURS.length - 1);
    const low = Math.min(COLOURS.length - 2, Math.floor(place));
    return [1, 3, 5].map(function (digit) {
      const ends = [COLOURS[low], COLOURS[low + 1]].map(function (hex) {
        return parseInt(hex.slice(digit, digit + 2), 16);
      });
      return Math.round(ends[0] + (ends[1] - ends[0]) * (place - low));
    });
  }

  // Black or white, whichever is easier to read on a colour.
  function ink(rgb) {
    const light = rgb.map(function (value) {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : Math.pow((share + 0.055) / 1.055, 2.4);
    });
    return 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2] > 0.18 ? "#000" : "#fff";
  }

  function build(container) {
    const data = EXPLORABLES.confusion;
    const shown = {}; // "AU label estimate" → numbers of faces
    data.cells.forEach(function (cell) {
      shown[cell.slice(0, 3).join(" ")] = cell[3];
    });
    let au = 2; // AU12, the paper's Figure 6
    const options = page.AUS.map(function (name, i) {
      return { value: i, label: name };
    });
    const chooser = page.radios("explorable-au", say("cellsAu"), options, au, function (chosen) {
      au = chosen;
      update(1, 2);
    });
    const holder = element("div", { class: "explorable-matrix" });
    const status = element("p", { class: "explorable-status", role: "status" });
    const faces = element("ul", { class: "explorable-cell-faces" });
    const help = element("p", { class: "explorable-help" }, say("cellsHelp"));
    const facts = Object.assign({}, data.about, {
      model: say("model_" + data.about.model),
      evaluationFrames: number(data.about.evaluationFrames, 0),
      factor: page.short(data.scale),
    });
    const about = element("p", { class: "explorable-about" }, say("cellsAbout", facts));
    const sheet = ".explorable-face{background-image:url(data:image/jpeg;base64,";
    const style = element("style", {}, sheet + data.sheet + ")}");
    container.append(style, chooser, holder, help, status, faces, about);

    function update(label, estimate) {
      holder.replaceChildren(matrix(data.counts[au], au, open, label, estimate));
      open(label, estimate);
    }

    function open(label, estimate) {
      const frames = data.counts[au][label][estimate];
      const found = shown[[au, label, estimate].join(" ")] || [];
      const key = ["cellsNone", "cellsOne"][frames];
      const all = found.length === frames ? "cellsAll" : "cellsSome";
      status.textContent = say(key || all, {
        au: page.AUS[au],
        label: label,
        estimate: estimate,
        frames: number(frames, 0),
        shown: found.length,
      });
      faces.replaceChildren.apply(
        faces,
        found.map(function (place) {
          return faceOf(data, place, au, label, estimate);
        })
      );
    }

    update(1, 2);
  }

  // The table: a button in each cell, one of them in the order of the tab key.
  function matrix(counts, au, open, label, estimate) {
    const names = { au: page.AUS[au], meaning: say(page.AUS[au]) };
    const table = element("table", { role: "grid" });
    table.append(element("caption", {}, say("cellsMatrix", names)));
    const head = element("tr", { role: "row" });
    const corner = element("td", {}, "↓ " + say("cellsLabel"), element("br", {}));
    corner.append(say("cellsEstimate") + " →");
    head.append(corner);
    const body = element("tbody", {});
    const buttons = counts.map(function (row, i) {
      head.append(element("th", { scope: "col" }, String(i)));
      const line = element("tr", { role: "row" }, element("th", { scope: "row" }, String(i)));
      const sum = row.reduce((a, b) => a + b, 0);
      const cells = row.map(function (frames, j) {
        const share = sum ? frames / sum : 0;
        const button = element("button", { type: "button", tabindex: -1 }, number(frames, 0));
        const background = colour(share);
        button.style.backgroundColor = "rgb(" + background.join(",") + ")";
        button.style.color = ink(background);
        const words = { label: i, estimate: j, frames: number(frames, 0) };
        words.share = number(100 * share, 0);
        button.setAttribute("aria-label", say("cellsCell", words));
        button.addEventListener("click", function () {
          select(buttons, i, j);
          open(i, j);
        });
        button.addEventListener("keydown", function (event) {
          move(buttons, i, j, event);
        });
        line.append(element("td", { role: "gridcell" }, button));
        return button;
      });
      body.append(line);
      return cells;
    });
    table.append(element("thead", {}, head), body);
    select(buttons, label, estimate);
    return table;
  }

  // Mark the cell whose faces are shown; the tab key reaches it.
  function select(buttons, i, j) {
    buttons.forEach(function (row, y) {
      row.forEach(function (button, x) {
        button.tabIndex = y === i && x === j ? 0 : -1;
        button.setAttribute("aria-pressed", y === i && x === j);
      });
    });
  }

  // Arrow keys, Home and End move the focus; Enter and Space are the button's own.
  function move(buttons, i, j, event) {
    const last = buttons.length - 1;
    const steps = {
      ArrowUp: [i - 1, j],
      ArrowDown: [i + 1, j],
      ArrowLeft: [i, j - 1],
      ArrowRight: [i, j + 1],
      Home: [i, 0],
      End: [i, last],
    };
    if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const to = steps[event.key].map((value) => Math.min(last, Math.max(0, value)));
    buttons[i][j].tabIndex = -1;
    buttons[to[0]][to[1]].tabIndex = 0;
    buttons[to[0]][to[1]].focus();
  }

  // One face out of the sheet, with its names and numbers.
  function faceOf(data, place, au, label, estimate) {
    const face = data.faces[place];
    const picture = element("div", { class: "explorable-face", role: "img" });
    picture.setAttribute("aria-label", say("cellsFace", face));
    const column = place % data.columns;
    const row = Math.floor(place / data.columns);
    picture.style.backgroundSize = SIDE * data.columns + "px " + SIDE * data.rows + "px";
    picture.style.backgroundPosition = -SIDE * column + "px " + -SIDE * row + "px";
    const value = number(face.outputs[au] / data.scale, 2);
    const numbers = { label: label, estimate: estimate, value: value };
    return element(
      "li",
      {},
      picture,
      element("span", {}, say("cellsCaption", face)),
      element("span", {}, say("cellsNumbers", numbers))
    );
  }

  page.show("explorable-confusion", build);
})();
