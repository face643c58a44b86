"""A data set in the shape of BP4D that anyone can have.

BP4D can't be redistributed. In its place stand 41 rendered people whose labels
behave like BP4D's: `labels` draws the labels at full length, `face` renders one
picture (of a `person`, with `surface`, `hair` and `light`), `tree` writes the folders
that `aulib.bp4d.read_frames` reads. No picture, label or model of anyone else is in
it; BP4D gives only the counts and rates of `data/bp4d_statistics.json`.
"""
