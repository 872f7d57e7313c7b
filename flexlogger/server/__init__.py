"""The visdom server, started right.

visdom's own page and its own functions do the drawing; around them stand a front door (`guard`), a store that cannot
tear a file (`envs`), offline assets (`assets`) and a launcher (`run`, `process`).
"""
