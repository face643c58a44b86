"""A data set in the shape of BP4D that anyone can have.

BP4D can't be redistributed. In its place this room renders 41 people whose labels
behave like BP4D's. No picture, label or model of anyone else is in it; BP4D gives only
the counts and rates of `data/bp4d_statistics.json`.

    labels, motion    labels at full length, and the motions that are not labelled
    person            the parameters by which people differ
    face              renders one picture of a person
    tree              writes pictures and labels into folders like BP4D's
    ownership         tells that tree's files from those of others
    pretrain          trains the weights that take ImageNet's place

`face` looks up a person's neutral head and body (`surface`, `body`; drawn with
`relief`, `skin`, `hair`), lets `muscles` deform them, draws what an expression changes
(`furrows`, `mouth`, `eyes`), and lights all of it (`light`). `shapes` has the functions
that these modules build with.

Units of the renderer: lengths are in units of half a face's width, 69 mm. The origin
lies between the pupils; x runs to the right of the picture, y down, depth towards the
camera. Colours are linear light, 0..1. Each constant is a length, unless its comment
names another unit; a share is a factor without a unit. Where one comment explains
several constants, semicolons separate them, in order.
"""
