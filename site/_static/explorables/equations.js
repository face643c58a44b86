// Eq. 3 and 4 of the paper, as aulib/inference.py and aulib/loss.py compute them.
"use strict";

var EXPLORABLES = EXPLORABLES || {};

(function () {
  const LEVELS = [0, 1, 2, 3, 4, 5];

  // Eq. 3: the level of an output. A half rounds up.
  function toIntensity(output, factor) {
    const value = output / factor;
    const floor = Math.floor(value);
    const rounded = value - floor >= 0.5 ? floor + 1 : floor;
    return Math.min(5, Math.max(0, rounded));
  }

  // Eq. 4: the loss of one output.
  function loss(output, level, factor) {
    const error = Math.abs(output - factor * level);
    return error < 1 ? 0.5 * error * error : error - 0.5;
  }

  // How much the loss grows for each level that the output is further off.
  function pull(output, level, factor) {
    return factor * Math.min(1, Math.abs(output - factor * level));
  }

  // Whether the loss is quadratic there; beyond, it is a line.
  function isQuadratic(output, level, factor) {
    return Math.abs(output - factor * level) < 1;
  }

  // What Eq. 3 and Eq. 4 say of an output: one of four cases.
  function judge(output, level, factor) {
    const right = toIntensity(output, factor) === level;
    const quadratic = isQuadratic(output, level, factor);
    if (right) return quadratic ? "rightQuadratic" : "rightLinear";
    return quadratic ? "wrongQuadratic" : "wrongLinear";
  }

  // Of outputs from `from` to `to` levels, the share where the loss is quadratic and
  // the answer right, or neither is so; over several true levels.
  function sharedMargin(factor, levels, from, to) {
    const steps = Math.round((to - from) * 1000);
    let shared = 0;
    levels.forEach(function (level) {
      for (let step = 0; step < steps; step++) {
        const output = factor * (from + (step + 0.5) / 1000); // no point is a tie
        const right = toIntensity(output, factor) === level;
        if (right === isQuadratic(output, level, factor)) shared += 1;
      }
    });
    return shared / (steps * levels.length);
  }

  EXPLORABLES.equations = {
    LEVELS: LEVELS,
    toIntensity: toIntensity,
    loss: loss,
    pull: pull,
    isQuadratic: isQuadratic,
    judge: judge,
    sharedMargin: sharedMargin,
  };
})();
