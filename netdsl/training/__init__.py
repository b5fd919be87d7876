"""The train program at work: what it says (`settings`, `optimizers`, `schedules`), whether it fits
its model (`check`, `steps`, `coverage`) and what of it is not carried out yet (`unexecuted`); then
one graph (`graph`), or several for steps in passes (`accumulate`), one step (`trainer`), many
(`loop`), and what came of it (`evaluate`, `history`, `checkpoints`). Nothing here prints; an
`Observer` is told what happens."""
