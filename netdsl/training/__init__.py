"""The train program at work: which parameters a step moves (`coverage`), how (`optimizers`,
`schedules`), as one graph (`graph`), one step (`trainer`), many (`loop`), and what came of it
(`evaluate`, `history`, `checkpoints`). Nothing here prints; an `Observer` is told what happens."""
