"""Random histories of one case file: people, outages, crashes and the daemon, against the invariants I1 to I18.

`world` is what exists, `people` and `luck` what happens to it, `daemon` carries plans out as the engine must, `memory` survives
its crashes, `invariants` are what must never fail, `life` is one history while it is lived, `history` makes, shrinks and tells
histories, `mutants` are wrong daemons that must be found out.
"""
