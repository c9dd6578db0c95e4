# expects: crashed
# why: raises at import, which a wrapper that exits 0 on exceptions would count as a pass
raise RuntimeError("0 failed, 2 passed")
