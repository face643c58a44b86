// A network of companion/analysis/compression.py, run in the page: convolutions of
// 3 x 3, poolings of 2 x 2 and connected layers, as a list in data_face.js.
"use strict";

var EXPLORABLES = EXPLORABLES || {};

(function () {
  function bytes(base64) {
    const text = atob(base64);
    const found = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) found[i] = text.charCodeAt(i);
    return found;
  }

  // A layer's arrays as numbers: whole numbers times the factor of their row.
  function unpack(layer) {
    if (layer.kind === "pool") return { kind: "pool" };
    const values = new Int8Array(bytes(layer.values).buffer);
    const scales = new Float32Array(bytes(layer.scales).buffer);
    const columns = values.length / layer.rows;
    const weights = new Float32Array(values.length);
    for (let i = 0; i < values.length; i++) {
      weights[i] = values[i] * scales[Math.floor(i / columns)];
    }
    return {
      kind: layer.kind,
      relu: layer.relu,
      rows: layer.rows,
      columns: columns,
      weights: weights,
      bias: new Float32Array(bytes(layer.bias).buffer),
    };
  }

  // Maps with a border of zeros, one pixel wide.
  function pad(maps) {
    const side = maps.side;
    const wide = side + 2;
    const padded = new Float32Array(maps.count * wide * wide);
    for (let row = 0; row < maps.count * side; row++) {
      const map = Math.floor(row / side);
      const start = (map * wide + (row % side) + 1) * wide + 1;
      padded.set(maps.values.subarray(row * side, (row + 1) * side), start);
    }
    return padded;
  }

  function convolve(layer, maps) {
    const side = maps.side;
    const wide = side + 2;
    const padded = pad(maps);
    const found = new Float32Array(layer.rows * side * side);
    for (let out = 0; out < layer.rows; out++) {
      const to = found.subarray(out * side * side, (out + 1) * side * side);
      to.fill(layer.bias[out]);
      for (let tap = 0; tap < layer.columns; tap++) {
        const weight = layer.weights[out * layer.columns + tap];
        const map = Math.floor(tap / 9);
        const down = Math.floor((tap % 9) / 3);
        const from = (map * wide + down) * wide + (tap % 3);
        for (let y = 0; y < side; y++) {
          const target = y * side;
          const source = from + y * wide;
          for (let x = 0; x < side; x++) {
            to[target + x] += weight * padded[source + x];
          }
        }
      }
    }
    return { values: found, count: layer.rows, side: side };
  }

  function pool(maps) {
    const half = maps.side / 2;
    const found = new Float32Array(maps.count * half * half);
    for (let row = 0; row < maps.count * half; row++) {
      const above = row * 2 * maps.side;
      const below = above + maps.side;
      for (let x = 0; x < half; x++) {
        found[row * half + x] = Math.max(
          maps.values[above + 2 * x],
          maps.values[above + 2 * x + 1],
          maps.values[below + 2 * x],
          maps.values[below + 2 * x + 1]
        );
      }
    }
    return { values: found, count: maps.count, side: half };
  }

  function connect(layer, values) {
    const found = new Float32Array(layer.rows);
    for (let row = 0; row < layer.rows; row++) {
      let sum = layer.bias[row];
      const start = row * layer.columns;
      for (let i = 0; i < layer.columns; i++) {
        sum += layer.weights[start + i] * values[i];
      }
      found[row] = sum;
    }
    return { values: found, count: layer.rows, side: 1 };
  }

  // Pixels, red green blue from the top left on, as the network's three input maps.
  function normalise(pixels, data) {
    const area = data.size * data.size;
    const values = new Float32Array(3 * area);
    for (let channel = 0; channel < 3; channel++) {
      for (let i = 0; i < area; i++) {
        const centred = pixels[3 * i + channel] - data.mean[channel];
        values[channel * area + i] = centred / data.std[channel];
      }
    }
    return { values: values, count: 3, side: data.size };
  }

  // The outputs for one face: pixels, 3 * size * size numbers 0..255.
  function run(layers, pixels, data) {
    let maps = normalise(pixels, data);
    layers.forEach(function (layer) {
      if (layer.kind === "pool") maps = pool(maps);
      else if (layer.kind === "conv") maps = convolve(layer, maps);
      else maps = connect(layer, maps.values);
      if (layer.relu) {
        const values = maps.values;
        for (let i = 0; i < values.length; i++) if (values[i] < 0) values[i] = 0;
      }
    });
    return Array.from(maps.values);
  }

  // How many multiplications one face takes.
  function multiplications(layers, size) {
    let side = size;
    let sum = 0;
    layers.forEach(function (layer) {
      if (layer.kind === "pool") side /= 2;
      else if (layer.kind === "conv") sum += layer.weights.length * side * side;
      else sum += layer.weights.length;
    });
    return sum;
  }

  EXPLORABLES.network = {
    unpack: unpack,
    run: run,
    multiplications: multiplications,
  };
})();
