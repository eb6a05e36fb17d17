"""Two and more writers on one store, in every order that a seed can think of. `stage` decides who goes next, `history` what must hold."""
