"""Random histories of one case file: people, outages, crashes and the daemon, against the invariants I1 to I18.

`world` is what exists, `people` what happens to it, `daemon` carries plans out as the engine must, `invariants` are what must never
fail, `history` makes, runs, shrinks and tells histories, `mutants` are wrong daemons that must be found out.
"""
